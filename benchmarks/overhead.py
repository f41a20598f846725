# SPDX-License-Identifier: Apache-2.0
"""Steady state: the guard, and what people use in its place, against the same steps without."""

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import common
import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities import grad_norm
from torch import nn

from lightning_gradguard import GradGuard

BLOCKS = {"mlp": (8, 240), "conv": (6, 240), "transformer": (2, 72), "many": (4, 48)}
BARS = {"mlp": 1.03, "conv": 1.01, "transformer": 1.01, "many": 1.05}
AGAIN, GUARD, LOOP = "plain again", "GradGuard", "`.item()` loop"
SLOW = 8  # what is far slower than the guard takes part in every eighth round
HOOKS = (
    "on_train_batch_start", "on_before_backward", "on_after_backward", "on_before_optimizer_step",
    "on_train_batch_end",
)  # fmt: skip


class Norms(pl.Callback):
    """Log the norm of every gradient, as Lightning's documentation shows."""

    def on_before_optimizer_step(self, trainer: Any, pl_module: Any, optimizer: Any) -> None:  # noqa: ANN401, ARG002
        """Log them."""
        pl_module.log_dict(grad_norm(pl_module, norm_type=2))


class Timed(GradGuard):
    """The guard, with a clock around each of its hooks."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[float] = []


def _timed(name: str) -> Callable[..., None]:
    hook = getattr(GradGuard, name)

    def run(self: Timed, *args: Any) -> None:  # noqa: ANN401
        start = time.perf_counter()
        hook(self, *args)
        took = time.perf_counter() - start
        if name == HOOKS[0]:
            self.steps.append(took)
        else:
            self.steps[-1] += took

    return run


for _name in HOOKS:
    setattr(Timed, _name, _timed(_name))


class Naive(pl.Callback):
    """Ask every gradient whether it is zero, one by one."""

    def on_before_optimizer_step(self, trainer: Any, pl_module: Any, optimizer: Any) -> None:  # noqa: ANN401, ARG002
        """Ask."""
        self.dead = [
            name
            for name, param in pl_module.named_parameters()
            if param.grad is None or param.grad.abs().max().item() == 0.0
        ]


class Clip(pl.Callback):
    """Clip, for scale: most people already pay for it."""

    def on_before_optimizer_step(self, trainer: Any, pl_module: Any, optimizer: Any) -> None:  # noqa: ANN401, ARG002
        """Clip far away."""
        nn.utils.clip_grad_norm_(pl_module.parameters(), 1e9)


def treatments(timed: Timed) -> list[common.Treatment]:
    """Return everything that is compared."""
    found = [
        common.Treatment("plain"),
        common.Treatment(AGAIN),
        common.Treatment(GUARD, [GradGuard()]),
        common.Treatment("timed", [timed], every=2),
        common.Treatment("`clip_grad_norm_`", [Clip()]),
        common.Treatment(LOOP, [Naive()]),
        common.Treatment("`grad_norm` + `log_dict`", [Norms()], every=SLOW),
        common.Treatment("`detect_anomaly`", enter=_anomaly_on, leave=_anomaly_off, every=SLOW),
    ]
    return found + _wandb()


def _anomaly_on(_: pl.LightningModule) -> None:
    torch.autograd.set_detect_anomaly(mode=True)


def _anomaly_off(_: pl.LightningModule) -> None:
    torch.autograd.set_detect_anomaly(mode=False)


def _wandb() -> list[common.Treatment]:
    """Return `wandb.watch` where it is installed; it writes to a folder and to no network."""
    try:
        import wandb
    except ImportError:
        print("wandb is not installed, its row is left out")
        return []
    run = wandb.init(mode="offline", dir="/tmp", settings=wandb.Settings(silent=True))  # noqa: S108

    class Send(pl.Callback):
        """Hand the histograms over once a step, which `WandbLogger` does at its own pace."""

        def on_train_batch_end(self, *_: object) -> None:
            run.log({})

    return [
        common.Treatment(
            "`wandb.watch(log_freq=1)`",
            [Send()],
            enter=lambda module: run.watch(module, log="gradients", log_freq=1),
            leave=run.unwatch,
            every=SLOW,
        )
    ]


def measure(name: str, scale: float) -> dict[str, Any]:
    """Compare all treatments on one model."""
    block, rounds = BLOCKS[name]
    net = common.MODELS[name]()
    timed = Timed()
    turns = common.alternate(net, treatments(timed), block, max(SLOW, round(rounds * scale)))
    rows = {t.name: common.ratios(turns.times, t.name) for t in turns.treatments}
    del rows["timed"]
    plain = rows["plain"]["ms"]
    return {
        "tensors": sum(1 for _ in net.parameters()),
        "values": sum(p.numel() for p in net.parameters()),
        "block": block,
        "rounds": turns.rounds,
        "rows": rows,
        "against_loop": common.ratios(turns.times, GUARD, LOOP),
        "own": _own(timed.steps, block, plain),
        "bar": BARS[name],
        "verdict": verdict(rows[GUARD], rows[AGAIN], BARS[name]),
    }


def _own(steps: Sequence[float], block: int, plain: float) -> dict[str, float]:
    """Return the share of a step that the guard spends in its own hooks, once it is quiet.

    Args:
        steps: seconds for each step.
        block: steps a block, of which the first pays for the change.
        plain: milliseconds of a plain step.
    """
    settled = [s for i, s in enumerate(steps) if i >= common.WARM and i % block]
    return common.middle_half((1000 * s / plain for s in settled), 5)


def verdict(guard: Mapping[str, float], again: Mapping[str, float], bar: float) -> str:
    """Say whether the guard keeps within a bar, as far as the control allows to tell.

    Args:
        guard: ratio of the guard to the plain training.
        again: ratio of the plain training to itself, whose distance from 1 nobody has caused.
        bar: what the ratio may be.

    Returns:
        `met`; `met within the spread` where the median is above the bar by no more than the control
        strays; else `missed`.
    """
    spread = max(abs(again["low"] - 1), abs(again["high"] - 1))
    if guard["median"] <= bar:
        return "met"
    return "met within the spread" if guard["median"] <= bar + spread else "missed"


def lines(results: dict[str, Any]) -> str:
    """Return the table of the README: one row a treatment, one column a model."""
    names = list(results)
    head = ["step time against plain", *(f"{n} ({results[n]['tensors']:,} tensors)" for n in names)]
    kinds = [k for k in next(iter(results.values()))["rows"] if k != "plain"]
    rows = [[kind, *(_cell(results[n]["rows"], kind) for n in names)] for kind in kinds]
    plain = ["plain step", *(f"{results[n]['rows']['plain']['ms']:.2f} ms" for n in names)]
    return common.table(head, [plain, *rows, *_verdicts(results)])


def _verdicts(results: dict[str, Any]) -> list[list[str]]:
    """Return the rows that hold the guard against the loop and against its bar."""
    found = list(results.values())
    loop = ["GradGuard against `.item()` loop", *(_ratio(r["against_loop"]) for r in found)]
    own = ["inside of GradGuard's hooks", *(_percent(r["own"]) for r in found)]
    bars = ["GradGuard at most", *(f"{r['bar']:.2f}: {r['verdict']}" for r in found)]
    return [own, loop, bars]


def _cell(rows: dict[str, dict[str, float]], kind: str) -> str:
    row = rows.get(kind)
    return _ratio(row) if row else ""


def _ratio(row: dict[str, float]) -> str:
    return f"{row['median']:.3f} ({row['low']:.3f} to {row['high']:.3f})"


def _percent(row: dict[str, float]) -> str:
    return f"{row['median']:.2%} ({row['low']:.2%} to {row['high']:.2%})"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=list(common.MODELS))
    parser.add_argument("--scale", type=float, default=1.0, help="factor on the number of rounds")
    parser.add_argument("--dry", action="store_true", help="write no file")
    options = parser.parse_args(arguments)
    common.quiet()
    results = {name: measure(name, options.scale) for name in options.models}
    print(common.origin())
    print(lines(results))
    if not options.dry:
        print(common.write("overhead", results))


if __name__ == "__main__":
    main()
