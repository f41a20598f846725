# SPDX-License-Identifier: Apache-2.0
"""Rounding and integer division inside a loss."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from lightning_gradguard import GradGuard

CLAIM = "`round` and integer division are not differentiable, so torch raises an error"
EXPECTED: tuple[str, ...] = ("GG202",)


class Model(pl.LightningModule):
    """A regressor whose prediction is rounded to even numbers before it is compared."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 1))

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """Round the prediction, which torch differentiates as if it were a constant."""
        inputs, targets = batch
        predictions = self.net(inputs)
        halves = torch.div(predictions, 2, rounding_mode="floor")
        return F.mse_loss(2 * torch.round(halves), targets)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Train all parameters with plain gradient descent."""
        return torch.optim.SGD(self.parameters(), lr=0.1)


def dataloader() -> DataLoader[tuple[Tensor, ...]]:
    """Make four batches of eight examples with one real target."""
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(32, 8, generator=generator)
    targets = torch.randn(32, 1, generator=generator)
    return DataLoader(TensorDataset(inputs, targets), batch_size=8)


def main() -> None:
    """Train three steps under the guard and print what it says."""
    guard = GradGuard()
    trainer = pl.Trainer(
        accelerator="cpu",
        callbacks=[guard],
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=False,
        logger=False,
        max_steps=3,
    )
    try:
        trainer.fit(Model(), dataloader())
    except RuntimeError as error:
        print(f"the training stopped: {type(error).__name__}")
    print(f"claim: {CLAIM}", guard.report.render(), sep="\n")


if __name__ == "__main__":
    main()
