# SPDX-License-Identifier: Apache-2.0
"""Squared error against one-hot targets."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from lightning_gradguard import GradGuard

CLAIM = "`one_hot` has no gradient, so a loss against it cannot train"
EXPECTED: tuple[str, ...] = ()


class Model(pl.LightningModule):
    """A classifier trained with squared error, which is unusual but sound."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 4))

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """Encode the targets, which need no gradient; the prediction keeps its own."""
        inputs, targets = batch
        probabilities = torch.softmax(self.net(inputs), dim=1)
        return F.mse_loss(probabilities, F.one_hot(targets, num_classes=4).float())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Train all parameters with plain gradient descent."""
        return torch.optim.SGD(self.parameters(), lr=0.1)


def dataloader() -> DataLoader[tuple[Tensor, ...]]:
    """Make four batches of eight examples in four classes."""
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(32, 8, generator=generator)
    targets = torch.randint(0, 4, (32,), generator=generator)
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
