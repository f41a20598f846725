# SPDX-License-Identifier: Apache-2.0
"""Train digits with an accuracy in the loss, and let the guard compute that accuracy properly.

The accuracy adds a number to the loss and 0 to every gradient. The guard says so and routes it to
torchmetrics: `gradguard/accuracy` counts all digits of an epoch, in the log and for the checkpoint
that keeps the best weights. Run it with `python examples/routing.py`, then see the curve with
`tensorboard --logdir logs/routing`.
"""

import argparse
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from digits import Batch, Digits, Progress, heading, indent, make_loaders, quieten, scalar_tags
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.loggers import TensorBoardLogger
from torch import Tensor

from lightning_gradguard import GradGuard
from lightning_gradguard.report import render

DEFAULT_LOGS = Path("logs") / "routing"
ROUTED = "gradguard/accuracy"


class Mixed(Digits):
    """Cross entropy, with the error rate added for good measure."""

    def __init__(self) -> None:
        super().__init__()
        self.hits, self.count = 0, 0

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Add a term that looks useful and trains nothing."""
        images, labels = batch
        logits = self(images)
        error = 1 - (logits.argmax(dim=1) == labels).float().mean()
        self.hits += round((1 - error.item()) * len(labels))
        self.count += len(labels)
        loss: Tensor = F.cross_entropy(logits, labels) + 0.5 * error
        return loss

    def on_train_epoch_start(self) -> None:
        """Count the digits of each epoch by hand, to compare with."""
        self.hits, self.count = 0, 0


def train(logs: Path, epochs: int) -> tuple[pl.Trainer, Mixed, GradGuard]:
    """Train with the metric routed; its epoch value picks the best checkpoint."""
    torch.manual_seed(0)
    model, guard = Mixed(), GradGuard(metrics="route")
    logger = TensorBoardLogger(logs, name=type(model).__name__)
    best = ModelCheckpoint(monitor=ROUTED, mode="max", save_on_train_epoch_end=True)
    trainer = pl.Trainer(
        accelerator="cpu",
        callbacks=[Progress(), guard, best],
        enable_model_summary=False,
        enable_progress_bar=False,
        log_every_n_steps=5,
        logger=logger,
        max_epochs=epochs,
        num_sanity_val_steps=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer.fit(model, make_loaders()[0])
    return trainer, model, guard


def problems_of(trainer: pl.Trainer, model: Mixed, guard: GradGuard) -> list[str]:
    """Say what is not as it was meant to be."""
    found = [str(diagnostic.code) for diagnostic in guard.report.diagnostics]
    problems = (
        [] if found == ["GG103"] else [f"expected GG103, got {', '.join(found) or 'nothing'}"]
    )
    routed, counted = trainer.callback_metrics.get(ROUTED), model.hits / model.count
    if routed is None or abs(float(routed) - counted) > 1e-6:  # noqa: PLR2004 - float32 against counts
        problems.append(f"expected {ROUTED} to be {counted}, got {routed}")
    if ROUTED not in scalar_tags(Path(str(trainer.log_dir))):
        problems.append(f"no {ROUTED} in {trainer.log_dir}")
    return problems


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the training; 0 when the routed metric is the counted one, else 1."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=6, help="passes over the images")
    parser.add_argument(
        "--logs", type=Path, default=DEFAULT_LOGS, help="folder for TensorBoard files"
    )
    options = parser.parse_args(arguments)
    quieten()
    heading('(d) a metric in the loss, routed: GradGuard(metrics="route")')
    trainer, model, guard = train(options.logs, options.epochs)
    print("\n".join(["", *(indent(render(d)) for d in guard.report.diagnostics)]))
    value, counted = float(trainer.callback_metrics[ROUTED]), model.hits / model.count
    print(f"\n    {ROUTED} {value:.6f}, counted by hand {counted:.6f}")
    problems = problems_of(trainer, model, guard)
    for problem in problems:
        print(f"routing: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
