# SPDX-License-Identifier: Apache-2.0
"""Teach a small convolutional network to read digits three times: broken, hidden, repaired.

The images are the 1,797 handwritten digits that scikit-learn ships, so nothing is downloaded. Run
it with `python examples/digits.py`, then see the curves with `tensorboard --logdir logs/digits`.
"""

import argparse
import logging
import sys
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from pytorch_lightning.loggers import TensorBoardLogger
from sklearn.datasets import load_digits
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset, random_split
from torchmetrics.classification import MulticlassAccuracy

from lightning_gradguard import GradGuard, GradGuardError

Batch = tuple[Tensor, ...]  # images and labels
NUM_CLASSES = 10
GOOD_ACCURACY = 0.95
DEFAULT_LOGS = Path("logs") / "digits"


class Digits(pl.LightningModule):
    """A convolutional network for 8x8 images and everything but the training loss."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 16, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Dropout(0.2),
        )
        self.head = nn.Linear(32 * 2 * 2, NUM_CLASSES)
        self.val_accuracy = MulticlassAccuracy(NUM_CLASSES, average="micro")

    def forward(self, images: Tensor) -> Tensor:
        """Turn float[batch, 1, 8, 8] images into float[batch, classes] logits."""
        logits: Tensor = self.head(self.encoder(images))
        return logits

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Count how many digits of the batch are read correctly."""
        images, labels = batch
        self.val_accuracy(self(images), labels)
        self.log("val_accuracy", self.val_accuracy)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Train all parameters with Adam."""
        return torch.optim.Adam(self.parameters(), lr=3e-3)


class AccuracyLoss(Digits):
    """The tempting mistake: minimise 1 - accuracy."""

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Compare classes, which are integers, so no gradient can pass."""
        images, labels = batch
        logits = self(images)
        loss = 1 - torch.eq(logits.argmax(dim=1), labels).float().mean()
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss


class RelabelledLoss(Digits):
    """The tempting repair of it: make torch's error go away."""

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Declare the loss to require a gradient, which reconnects nothing."""
        images, labels = batch
        logits = self(images)
        loss = 1 - torch.eq(logits.argmax(dim=1), labels).float().mean()
        loss.requires_grad_(True)
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss


class Repaired(Digits):
    """What was meant: train on cross entropy, report accuracy."""

    def __init__(self) -> None:
        super().__init__()
        self.train_accuracy = MulticlassAccuracy(NUM_CLASSES, average="micro")

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Minimise cross entropy and let torchmetrics count the hits."""
        images, labels = batch
        logits = self(images)
        loss = F.cross_entropy(logits, labels)
        self.train_accuracy(logits.detach(), labels)
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        self.log("train_accuracy", self.train_accuracy, on_step=False, on_epoch=True)
        return loss


class Progress(pl.Callback):
    """Print one line an epoch, which reads better in a log file than a bar."""

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Print what the epoch brought."""
        values = trainer.callback_metrics
        shown = "  ".join(f"{name} {values[name]:.4f}" for name in sorted(values))
        print(
            f"    epoch {trainer.current_epoch + 1:2d} of {trainer.max_epochs}  {shown}", flush=True
        )


@dataclass(frozen=True)
class Outcome:
    """What came of one training."""

    log_dir: Path  # holds the TensorBoard files
    accuracy: float  # share of the validation images read correctly, 0 to 1
    error: GradGuardError | None  # what the guard raised


def load_datasets() -> tuple[Dataset[Batch], Dataset[Batch]]:
    """Read the digits and split them into 1,438 images to train on and 359 to check with."""
    digits = load_digits()
    images = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1) / 16
    labels = torch.tensor(digits.target, dtype=torch.int64)
    dataset = TensorDataset(images, labels)
    train, val = random_split(dataset, [0.8, 0.2], generator=torch.Generator().manual_seed(0))
    return train, val


def make_loaders(batch_size: int = 64) -> tuple[DataLoader[Batch], DataLoader[Batch]]:
    """Wrap both parts in loaders that give the same batches in every run."""
    train, val = load_datasets()
    shuffle = torch.Generator().manual_seed(1)
    return (
        DataLoader(train, batch_size=batch_size, shuffle=True, generator=shuffle),
        DataLoader(val, batch_size=359),
    )


def fit(model: Digits, logs: Path, epochs: int, guard: GradGuard | None = None) -> Outcome:
    """Train the model, with the guard or as plain Lightning does.

    Args:
        model: what to train.
        logs: folder for TensorBoard files; each model and attempt gets its own subfolder.
        epochs: how often all training images are seen.
        guard: the guard to watch with, or None for plain Lightning.

    Returns:
        What came of it, also when the guard stopped the training.
    """
    logger = TensorBoardLogger(logs, name=type(model).__name__)
    trainer = pl.Trainer(
        accelerator="cpu",
        callbacks=[Progress(), *([guard] if guard else [])],
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=False,
        log_every_n_steps=5,
        logger=logger,
        max_epochs=epochs,
        num_sanity_val_steps=0,
    )
    error = None
    try:
        trainer.fit(model, *make_loaders())
    except GradGuardError as raised:
        error = raised
    accuracy = float(trainer.callback_metrics.get("val_accuracy", 0.0))
    return Outcome(Path(logger.log_dir), accuracy, error)


def count_moved(model: nn.Module, before: dict[str, Tensor]) -> int:
    """Count the parameters that differ from `before` in at least one value."""
    return sum(not torch.equal(before[name], param) for name, param in model.named_parameters())


def snapshot(model: nn.Module) -> dict[str, Tensor]:
    """Copy all parameters."""
    return {name: param.detach().clone() for name, param in model.named_parameters()}


def scalar_tags(log_dir: Path) -> list[str]:
    """List the `gradguard/*` scalars in the TensorBoard files of one run."""
    events = EventAccumulator(str(log_dir))
    events.Reload()
    return sorted(tag for tag in events.Tags()["scalars"] if tag.startswith("gradguard/"))


def show_broken(logs: Path, epochs: int) -> list[str]:
    """Run (a): a diagnosis in place of torch's error; returns what did not go as promised."""
    heading("(a) loss = 1 - accuracy, computed with torch.eq")
    print(
        '    torch alone says: "element 0 of tensors does not require grad ..."; with the guard:\n'
    )
    torch.manual_seed(0)
    outcome = fit(AccuracyLoss(), logs, epochs, GradGuard(strict=True))
    return expect_finding("GG101", outcome.error)


def show_hidden(logs: Path, epochs: int) -> list[str]:
    """Run (b): plain Lightning trains nothing in silence, the guard stops before the first step."""
    heading("(b) the same with loss.requires_grad_(True), plain Lightning first")
    torch.manual_seed(0)
    model = RelabelledLoss()
    before = snapshot(model)
    fit(model, logs, min(epochs, 2))
    moved = count_moved(model, before)
    print(f"    no error, no warning, and {moved} of {len(before)} parameters moved")
    print("    the same with the guard:\n")
    torch.manual_seed(0)
    outcome = fit(RelabelledLoss(), logs, epochs, GradGuard(strict=True))
    unmoved = [] if moved == 0 else [f"plain Lightning moved {moved} parameters, expected none"]
    return unmoved + expect_finding("GG102", outcome.error)


def show_repaired(logs: Path, epochs: int) -> list[str]:
    """Run (c): the repaired module trains, and the guard has nothing to say."""
    heading("(c) repaired: cross entropy for training, accuracy from torchmetrics")
    torch.manual_seed(0)
    model, guard = Repaired(), GradGuard(strict=True)
    outcome = fit(model, logs, epochs, guard)
    if outcome.error is not None:
        return [f"the guard stopped a healthy training:\n{outcome.error}"]
    tags = scalar_tags(outcome.log_dir)
    print(f"\n    validation accuracy {outcome.accuracy:.1%}, findings: {findings(guard)}")
    print(f"    scalars of the guard: {', '.join(tags) or 'none'}")
    problems = []
    if outcome.accuracy <= GOOD_ACCURACY:
        problems.append(f"expected accuracy above {GOOD_ACCURACY:.0%}, got {outcome.accuracy:.1%}")
    if guard.report.diagnostics:
        problems.append(f"expected silence, got {findings(guard)}")
    if not tags:
        problems.append(f"no gradguard scalars in {outcome.log_dir}")
    return problems


def expect_finding(code: str, error: GradGuardError | None) -> list[str]:
    """Print the diagnosis and complain unless it is the one that the run was made for."""
    if error is None:
        return [f"expected {code}, the guard raised nothing"]
    print(indent(str(error)))
    found = [str(diagnostic.code) for diagnostic in error.report.diagnostics]
    return [] if found == [code] else [f"expected {code}, got {', '.join(found)}"]


def findings(guard: GradGuard) -> str:
    """Name the rules that the guard reported, or say that there are none."""
    return ", ".join(str(diagnostic.code) for diagnostic in guard.report.diagnostics) or "none"


def heading(text: str) -> None:
    """Set one run apart from the one before."""
    print(f"\n{text}", flush=True)


def indent(text: str) -> str:
    """Shift a block of text to the right."""
    return "\n".join(f"    {line}".rstrip() for line in text.splitlines())


def quieten() -> None:
    """Hide what Lightning says about hardware and data loading; the demo is about gradients."""
    for name in ("pytorch_lightning", "lightning.pytorch", "lightning_fabric", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"pytorch_lightning(\.|$)")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all three trainings; 0 when each did what it is meant to show, else 1."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=12, help="passes over the images")
    parser.add_argument(
        "--logs", type=Path, default=DEFAULT_LOGS, help="folder for TensorBoard files"
    )
    options = parser.parse_args(arguments)
    quieten()
    start = time.perf_counter()
    print(f"digits: 1,797 images, three runs, TensorBoard files go to {options.logs}")
    problems = [
        problem
        for show in (show_broken, show_hidden, show_repaired)
        for problem in show(options.logs, options.epochs)
    ]
    print(f"\ndone in {time.perf_counter() - start:.0f} s; tensorboard --logdir {options.logs}")
    for problem in problems:
        print(f"digits: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
