# SPDX-License-Identifier: Apache-2.0
"""The traced step: time beside a plain one, cost of a torch call, memory, and the graph walk."""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import common
import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lightning_gradguard import GradGuard
from lightning_gradguard.trace import Collector, walk

ROUNDS = {"mlp": 40, "conv": 30, "transformer": 14, "many": 8}
CALLS = 5000  # in a step
CALL_ROUNDS = 40
NODES = 100_000
# How the allocator of glibc is told so; without it the peak of one and the same step strays by 5 %.
AT_ONCE = {
    "MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536",
}  # fmt: skip
BATCH = 32  # sequences in the memory measurement, so that activations outweigh everything else


def traced_step(name: str) -> dict[str, Any]:
    """Compare traced steps with the plain steps between them."""

    def fresh() -> Sequence[pl.Callback]:
        return [GradGuard()]

    treatments = [common.Treatment("plain"), common.Treatment("traced", fresh=fresh)]
    turns = common.alternate(common.MODELS[name](), treatments, 1, ROUNDS[name])
    times = turns.times
    return common.ratios(times, "traced") | {"plain_ms": common.ratios(times, "plain")["ms"]}


class Loop(nn.Module):
    """Run many small operations, and take their time, by whether they are traced."""

    batch = (2, 4)

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(10, 4))
        self.took: dict[bool, list[float]] = {False: [], True: []}

    def forward(self, x: Tensor) -> Tensor:
        """Return the last result of a mix of five operations that is run over and over."""
        weight = self.weight
        traced = torch._C._len_torch_function_stack() > 0  # noqa: SLF001
        start = common.now()
        for _ in range(CALLS // 5):
            out = F.linear((torch.relu(x + 1.0) * x).view(2, 4), weight)
        self.took[traced].append(common.now() - start)
        return out


def call_cost() -> dict[str, float]:
    """Measure what recording adds to one torch call within a step of a Trainer."""
    net = Loop()
    treatments = [
        common.Treatment("plain"),
        common.Treatment("traced", fresh=lambda: [GradGuard()]),
    ]
    common.alternate(net, treatments, 1, CALL_ROUNDS)
    plain, traced = (net.took[kind][common.WARM :] for kind in (False, True))
    extra = [(t - p) / CALLS * 1e6 for t, p in zip(traced, plain, strict=False)]
    return {
        "plain_us": round(statistics.median(plain) / CALLS * 1e6, 2),
        "extra_us": round(statistics.median(extra), 2),
        "extra_us_best": round((min(traced) - min(plain)) / CALLS * 1e6, 2),
    }


def walk_cost() -> dict[str, float]:
    """Walk a chain of many nodes, far deeper than Python's stack."""
    times = [_walk_once() for _ in range(5)]
    return {"nodes": NODES, "seconds": round(statistics.median(times), 4)}


def _walk_once() -> float:
    x = torch.ones(1, requires_grad=True)
    chain = [x]
    for _ in range(NODES):
        chain[0] = chain[0] + 1.0
    nodes: list[Any] = []
    collector = Collector()
    collector.calm()
    took = common.seconds(lambda: nodes.extend(walk(chain[0], {id(x): "x"})[1]))
    collector.restore()
    chain.clear()
    nodes.reverse()
    while nodes:  # from the loss down, or torch would free them by recursion
        nodes.pop()
    return took


def memory() -> dict[str, Any]:
    """Compare the peaks of processes that do nothing but one step, traced or not."""
    if torch.cuda.is_available():
        peaks = {kind: [_cuda_peak(traced=kind == "traced")] for kind in ("plain", "traced")}
    else:
        peaks = {kind: [_process_peak(kind) for _ in range(3)] for kind in ("plain", "traced")}
    medians = {kind: statistics.median(values) for kind, values in peaks.items()}
    ratio = round(medians["traced"] / medians["plain"], 4)
    return {f"{kind}_mib": round(peak / 2**20, 1) for kind, peak in medians.items()} | {
        "ratio": ratio,
        "spread": round(max(peaks["plain"]) / min(peaks["plain"]), 4),
    }


def _process_peak(kind: str) -> int:
    """Return the peak of a process that gives memory back at once, and so holds what it uses."""
    command = [sys.executable, __file__, "--memory-of", kind]
    out = subprocess.run(  # noqa: S603 - this file
        command, check=True, capture_output=True, text=True, env=os.environ | AT_ONCE
    )
    return int(json.loads(out.stdout.splitlines()[-1]))


def one_step(*, traced: bool) -> None:
    """Train the transformer for one step."""
    pl.seed_everything(0, verbose=False)
    net = common.Transformer()
    callbacks = [GradGuard()] if traced else []
    options = common.QUIET | {"accelerator": "auto", "devices": 1, "logger": False, "max_steps": 1}
    trainer = pl.Trainer(**options, callbacks=callbacks)
    trainer.fit(common.Training(net), common.Repeat((BATCH, 64), 1))  # type: ignore[arg-type]


def _cuda_peak(*, traced: bool) -> int:
    torch.cuda.reset_peak_memory_stats()
    one_step(traced=traced)
    return torch.cuda.max_memory_allocated()


def lines(results: dict[str, Any]) -> str:
    """Return the table of the README."""
    head = ["model", "plain step", "traced step", "ratio (middle half)"]
    rows = [[name, *_cells(row)] for name, row in results["steps"].items()]
    call, walked, peak = results["call"], results["walk"], results["memory"]
    best = call["extra_us_best"]
    notes = [
        f"One recorded torch call costs {call['extra_us']:.1f} us more (best run {best:.1f} us).",
        f"Walking a graph of {walked['nodes']:,} nodes takes {walked['seconds']:.2f} s.",
        (
            f"One step at its peak takes {peak['plain_mib']:.0f} MiB plain and "
            f"{peak['traced_mib']:.0f} MiB traced: {peak['ratio']:.3f} times as much."
        ),
    ]
    return common.table(head, rows) + "\n\n" + "\n".join(notes)


def _cells(row: dict[str, float]) -> tuple[str, str, str]:
    ratio = f"{row['median']:.2f} ({row['low']:.2f} to {row['high']:.2f})"
    return f"{row['plain_ms']:.2f} ms", f"{row['ms']:.2f} ms", ratio


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--memory-of", choices=["plain", "traced"], help=argparse.SUPPRESS)
    parser.add_argument("--dry", action="store_true", help="write no file")
    options = parser.parse_args(arguments)
    common.quiet()
    if options.memory_of:
        one_step(traced=options.memory_of == "traced")
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
        return
    results = {
        "steps": {name: traced_step(name) for name in common.MODELS},
        "call": call_cost(),
        "walk": walk_cost(),
        "memory": memory(),
    }
    print(common.origin())
    print(lines(results))
    if not options.dry:
        print(common.write("trace", results))


if __name__ == "__main__":
    main()
