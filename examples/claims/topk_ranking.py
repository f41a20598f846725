# SPDX-License-Identifier: Apache-2.0
"""A ranking loss that picks its entries with the indices of `topk`."""

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from lightning_gradguard import GradGuard

CLAIM = "`topk` indices are integers, so indexing with them cuts the gradient"
EXPECTED: tuple[str, ...] = ()


class Model(pl.LightningModule):
    """Scores six items and pushes down the best scored irrelevant ones."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 6))

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """Apply the loss to the two highest scores of each example."""
        inputs, relevance = batch
        scores = self.net(inputs)
        hardest = torch.topk(scores, k=2, dim=1).indices
        return torch.square(scores.gather(1, hardest) - relevance.gather(1, hardest)).mean()

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
