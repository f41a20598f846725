# SPDX-License-Identifier: Apache-2.0
"""A routed metric against the same guard without a route and the metric updated by hand."""

import argparse
from collections.abc import Sequence
from typing import Any

import common
import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.nn import functional as F
from torchmetrics.classification import MulticlassAccuracy

from lightning_gradguard import GradGuard

BLOCKS = {"mlp": (20, 60), "conv": (10, 40), "transformer": (5, 14)}
BAR = 1.02
BASE, AGAIN, HAND, ROUTE = "no route", "no route again", "updated by hand", "routed"
CLASSES = 10


class Mixed(common.Training):
    """A loss with an accuracy in it, which is what gets routed."""

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:  # noqa: ARG002
        """Return cross entropy and error rate."""
        x, y = batch
        logits = self.net(x)
        self.seen = logits.detach(), y
        loss: Tensor = F.cross_entropy(logits, y) + 0.5 * (logits.argmax(1) != y).float().mean()
        self.log("loss", loss)
        return loss


class ByHand(pl.Callback):
    """Update the same torchmetrics object from scores that the module has kept."""

    def __init__(self) -> None:
        self.metric = MulticlassAccuracy(CLASSES, average="micro", validate_args=False)

    def on_train_batch_end(self, trainer: Any, pl_module: Any, *_: Any) -> None:  # noqa: ANN401, ARG002
        """Update it."""
        with torch.no_grad():
            self.metric.update(*pl_module.seen)


def treatments(router: GradGuard) -> list[common.Treatment]:
    """Return everything that is compared; a guard looks at gradients in all of them."""
    return [
        common.Treatment(BASE, [GradGuard()]),
        common.Treatment(AGAIN, [GradGuard()]),
        common.Treatment(HAND, [GradGuard(), ByHand()]),
        common.Treatment(ROUTE, [router]),
    ]


def measure(name: str, scale: float) -> dict[str, Any]:
    """Compare all treatments on one model."""
    block, rounds = BLOCKS[name]
    router = GradGuard(metrics="route")
    chosen = treatments(router)
    turns = common.alternate(
        common.MODELS[name](), chosen, block, max(2, round(rounds * scale)), Mixed
    )
    return {
        "block": block,
        "rounds": turns.rounds,
        "routed": sorted(router.state_dict()["metrics"]),
        "rows": {t.name: common.ratios(turns.times, t.name, BASE) for t in chosen},
        "against_hand": common.ratios(turns.times, ROUTE, HAND),
        "bar": BAR,
    }


def lines(results: dict[str, Any]) -> str:
    """Return the table: one row a treatment, one column a model."""
    head = ["step time against the guard without a route", *results]
    plain = [BASE, *(f"{r['rows'][BASE]['ms']:.2f} ms" for r in results.values())]
    kinds = (AGAIN, HAND, ROUTE)
    rows = [[kind, *(_ratio(r["rows"][kind]) for r in results.values())] for kind in kinds]
    against = [
        "routed against updated by hand",
        *(_ratio(r["against_hand"]) for r in results.values()),
    ]
    bars = ["at most", *(f"{r['bar']:.2f}: {verdict(r)}" for r in results.values())]
    return common.table(head, [plain, *rows, against, bars])


def verdict(result: dict[str, Any]) -> str:
    """Say whether the bound is kept, as far as the control allows to tell."""
    again, median = result["rows"][AGAIN], result["against_hand"]["median"]
    spread = max(abs(again["low"] - 1), abs(again["high"] - 1))
    if median <= result["bar"]:
        return "met"
    return "met within the spread" if median <= result["bar"] + spread else "missed"


def _ratio(row: dict[str, float]) -> str:
    return f"{row['median']:.3f} ({row['low']:.3f} to {row['high']:.3f})"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=list(BLOCKS))
    parser.add_argument("--scale", type=float, default=1.0, help="factor on the number of rounds")
    parser.add_argument("--dry", action="store_true", help="write no file")
    options = parser.parse_args(arguments)
    common.quiet()
    results = {name: measure(name, options.scale) for name in options.models}
    for name, result in results.items():
        if result["routed"] != ["accuracy"]:
            raise SystemExit(f"{name}: expected `accuracy` to be routed, got {result['routed']}")
    print(common.origin())
    print(lines(results))
    if not options.dry:
        print(common.write("routing", results))


if __name__ == "__main__":
    main()
