# SPDX-License-Identifier: Apache-2.0
"""A loss over the entries that a boolean mask selects."""

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from lightning_gradguard import GradGuard

CLAIM = "a boolean mask made from the predictions cuts the gradient"
EXPECTED: tuple[str, ...] = ()


class Model(pl.LightningModule):
    """Scores six items and looks only at those it overrates."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 6))

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """Select entries by comparing predictions; the selected values keep their history."""
        inputs, relevance = batch
        scores: Tensor = self.net(inputs)
        overrated = scores > relevance
        return torch.square(scores[overrated] - relevance[overrated]).sum() / scores.numel()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Train all parameters with plain gradient descent."""
        return torch.optim.SGD(self.parameters(), lr=0.1)


def dataloader() -> DataLoader[tuple[Tensor, ...]]:
    """Make four batches of eight examples with the relevance of six items."""
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(32, 8, generator=generator)
    targets = torch.rand(32, 6, generator=generator)
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
