# SPDX-License-Identifier: Apache-2.0
"""What the comparison of ranks costs: a message, the walk before it, and a step of a job with it.

`ranks.py` starts 1, 2 and 4 processes over gloo on this machine, measures, and writes
`results/ranks.json`; `ranks.py page` draws the tables of `docs/scale.md` from it. Messages are
timed by the wall clock, and the least of many times counts: on a shared machine the others hold
the waits for a turn on a core. What one rank does by itself is timed by the clock of its thread.
"""

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import common
import torch
import torch.distributed as dist
from torch import nn

from lightning_gradguard.audit import Audit
from lightning_gradguard.jobs.cadence import cadence
from lightning_gradguard.jobs.reach import digest, reached
from lightning_gradguard.ranks import Event, Note, Ranks

WORLDS = (1, 2, 4)
STATES = (100, 1000, 10_000, 100_000)
LAYERS = (25, 250, 2500)
REPEATS = 200


def least(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """Return the least wall time of something, in us."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return round(1e6 * min(times), 1)


def own(work: Callable[[], object], repeats: int = 20) -> float:
    """Return the median time of this thread for something, in us."""
    times = []
    for _ in range(repeats):
        start = time.thread_time()
        work()
        times.append(time.thread_time() - start)
    return round(1e6 * statistics.median(times), 1)


def messages() -> dict[str, Any]:
    """Time the messages of one job; every rank comes here."""
    ranks = Ranks(60.0)
    note = Note(Event.BACKWARD, 1, 2)
    finding = [{"message": "x" * 2000}]
    found = {
        "compare_us": least(lambda: ranks.compare(note)),
        "gather_us": least(lambda: ranks.gather(finding), 50),
        "largest_us": {str(n): least(lambda n=n: ranks.largest([2] * n), 20) for n in STATES},  # type: ignore[misc]
    }
    ranks.close()
    return found


def walks() -> list[dict[str, Any]]:
    """Time the walk from a loss to the parameters, and the digest of what it reaches."""
    rows = []
    for layers in LAYERS:
        net = nn.Sequential(*(nn.Linear(4, 4) for _ in range(layers)))
        places = {id(p): i for i, p in enumerate(net.parameters())}
        loss = net(torch.ones(1, 4)).sum()
        found = bytes(reached(loss, places).found)
        rows.append(
            {
                "parameters": len(places),
                "nodes": _nodes(loss),
                "walk_us": own(lambda loss=loss, places=places: reached(loss, places)),  # type: ignore[misc]
                "digest_us": own(lambda found=found: digest(found)),  # type: ignore[misc]
            }
        )
    return rows


def states() -> list[dict[str, Any]]:
    """Time what one rank looks at before the optimizer steps."""
    rows = []
    for count in STATES[:3]:
        named = {f"p{i}": nn.Parameter(torch.ones(64)) for i in range(count)}
        for param in named.values():
            param.grad = torch.ones(64)
        audit = Audit()
        rows.append(
            {
                "parameters": count,
                "states_us": own(lambda named=named, audit=audit: audit.local(named), 10),
            }
        )  # type: ignore[misc]
    return rows


def step() -> dict[str, Any]:
    """Compare the time of a training step with that of the walk on its graph."""
    net = common.Transformer()
    x = torch.randn(*net.batch)
    places = {id(p): i for i, p in enumerate(net.parameters())}
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-4)

    def train() -> None:
        optimizer.zero_grad()
        net(x).pow(2).mean().backward()
        optimizer.step()

    loss = net(x).pow(2).mean()
    audit, named = Audit(), dict(net.named_parameters())
    step_us = own(train, 10)
    return {
        "parameters": len(places),
        "step_us": step_us,
        "walk_us": own(lambda: reached(loss, places)),
        "states_us": own(lambda: audit.local(named)),
    }


def _nodes(loss: torch.Tensor) -> int:
    seen, stack = set(), [loss.grad_fn]
    while stack:
        node = stack.pop()
        if node is not None and node not in seen:
            seen.add(node)
            stack += [child for child, _ in node.next_functions]
    return len(seen)


def constants(results: Mapping[str, Any]) -> dict[str, float]:
    """Return what the formulas of the page need, in us."""
    alone, two, four = (m["compare_us"] for m in results["messages"])
    walk, state = results["walks"][-2], results["states"][1]
    hop = (two - alone) / 2
    return {
        "alone": alone,
        "hop": hop,
        "four": four,
        "four_by_formula": alone + 6 * hop,
        "node": walk["walk_us"] / walk["nodes"],
        "digest": walk["digest_us"] / walk["parameters"],
        "state": state["states_us"] / state["parameters"],
        "step": results["step"]["step_us"],
        "step_walk": results["step"]["walk_us"],
        "step_states": results["step"]["states_us"],
    }


def page(results: Mapping[str, Any]) -> str:
    """Draw the tables of the page about scale."""
    c = constants(results)
    messages = []
    for ranks in (2, 8, 64, 512, 4096, 16_384):
        latency = c["alone"] + 2 * (ranks - 1) * c["hop"]
        slow = c["alone"] + 2 * (ranks - 1) * 50.0
        every = cadence(2 * latency, 1e6)
        size, sent = 112, 224 * (ranks - 1) / ranks
        row = (f"{ranks:,}", f"{size} B", f"{sent:.0f} B", _time(latency), _time(slow), every)
        messages.append((*row, f"{ranks * 3} KB"))
    local = []
    for tensors in (100, 1000, 10_000, 100_000):
        walk, states = 6 * tensors * c["node"], tensors * c["state"]
        row = (f"{tensors:,}", _time(walk), _time(tensors * c["digest"]), _time(states))
        local.append((*row, f"{tensors / 1000:g} KB"))
    measured = [
        ("a message with nobody, 1 process", _time(c["alone"])),
        ("one hop, (2 processes - 1 process) / 2", _time(c["hop"])),
        ("4 processes on 2 cores, measured", _time(c["four"])),
        ("4 processes, by the formula", _time(c["four_by_formula"])),
        ("one node of the graph", f"{c['node']:.2f} us"),
        ("digest, one parameter", f"{1000 * c['digest']:.1f} ns"),
        ("state of one gradient", f"{c['state']:.2f} us"),
        ("a step of the benchmark transformer, 76 tensors", _time(c["step"])),
        ("walk of that step", _time(c["step_walk"])),
        ("states of that step", _time(c["step_states"])),
    ]
    head = ("ranks", "message", "sent by a rank", "latency, loopback", "latency, 50 us a hop")
    return "\n\n".join(
        [
            common.table(("constant", "measured"), measured),
            common.table((*head, "every n steps of 1 s", "gathered on a finding"), messages),
            common.table(("tensors", "walk", "digest", "states", "set, before packing"), local),
        ]
    )


def _time(microseconds: float) -> str:
    if microseconds < 1000:  # noqa: PLR2004 - the next unit
        return f"{microseconds:.0f} us"
    return f"{microseconds / 1000:.1f} ms" if microseconds < 1e6 else f"{microseconds / 1e6:.2f} s"  # noqa: PLR2004


def work(out: str) -> None:
    """Be one rank of the measured job."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", timeout=timedelta(seconds=60))
    found = messages()
    if dist.get_rank() == 0:
        Path(out).write_text(json.dumps(found))
    dist.barrier()
    os._exit(0)


def start(world: int) -> dict[str, Any]:
    """Start a job and return what its rank 0 measured."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.json"
        processes = [_process(rank, world, port, out) for rank in range(world)]
        for process in processes:
            process.wait(300)
        return {"world": world, **json.loads(out.read_text())}


def _process(rank: int, world: int, port: int, out: Path) -> "subprocess.Popen[bytes]":
    place: Mapping[str, str] = {
        "RANK": str(rank),
        "WORLD_SIZE": str(world),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "OMP_NUM_THREADS": "1",
        "GLOO_SOCKET_IFNAME": "lo",
    }
    return subprocess.Popen([sys.executable, __file__, str(out)], env={**os.environ, **place})  # noqa: S603


def main(arguments: Sequence[str]) -> None:
    """Measure, or be a part of what is measured."""
    if arguments == ["page"]:
        print(page(common.read("ranks")["results"]))
        return
    if arguments:
        work(arguments[0])
        return
    common.quiet()
    results = {
        "messages": [start(w) for w in WORLDS],
        "walks": walks(),
        "states": states(),
        "step": step(),
    }
    print(common.write("ranks", results))
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main(sys.argv[1:])
