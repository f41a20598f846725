# SPDX-License-Identifier: Apache-2.0
"""A custom loss that goes through numpy."""

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from lightning_gradguard import GradGuard

CLAIM = "`np.where` in a loss is fine, the result becomes a tensor again anyway"
EXPECTED: tuple[str, ...] = ("GG101",)


class Model(pl.LightningModule):
    """A regressor with an asymmetric error that is computed in numpy."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 1))

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """Weigh negative errors twice, outside of torch."""
        inputs, targets = batch
        error = (self.net(inputs) - targets).detach().numpy()
        weighted = np.where(error > 0, error, -2 * error)
        return torch.from_numpy(weighted).mean()

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
