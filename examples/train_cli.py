# SPDX-License-Identifier: Apache-2.0
"""A LightningCLI whose configuration decides how the training is guarded.

Run it with one of the configurations in `configs`:

    python examples/train_cli.py fit --config configs/strict_ci.yaml
    python examples/train_cli.py fit --config configs/strict_ci.yaml --model.objective accuracy

The first passes, the second stops before the first optimizer step and names the line. Without a
configuration, one option adds the guard: `--trainer.callbacks+=lightning_gradguard.GradGuard`.
"""

from typing import Literal

import torch
from pytorch_lightning import LightningDataModule, LightningModule
from pytorch_lightning.cli import LightningCLI
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

CLASSES = 3


class Clouds(LightningDataModule):
    """Points around three centres, in the plane.

    Args:
        size: number of points.
        batch_size: points a batch.
    """

    def __init__(self, size: int = 240, batch_size: int = 16) -> None:
        super().__init__()
        random = torch.Generator().manual_seed(1)
        labels = torch.randint(0, CLASSES, (size,), generator=random)
        centres = torch.tensor([[0.0, 2.0], [-2.0, -1.0], [2.0, -1.0]])
        points = centres[labels] + 0.5 * torch.randn(size, 2, generator=random)
        self.points = TensorDataset(points, labels)
        self.batch_size = batch_size

    def train_dataloader(self) -> DataLoader[tuple[Tensor, ...]]:
        """Give the points."""
        return DataLoader(self.points, self.batch_size)


class Classifier(LightningModule):
    """Two layers, trained on what the configuration asks for.

    Args:
        width: size of the hidden layer.
        objective: `cross_entropy` trains, `accuracy` cannot, `both` adds a term that does nothing.
    """

    def __init__(
        self,
        width: int = 16,
        objective: Literal["cross_entropy", "accuracy", "both"] = "cross_entropy",
    ) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, width), nn.ReLU(), nn.Linear(width, CLASSES))
        self.objective = objective

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """Compute the loss of one batch."""
        points, labels = batch
        logits = self.net(points)
        likelihood: Tensor = F.cross_entropy(logits, labels)
        accuracy: Tensor = (logits.argmax(dim=1) == labels).float().mean()
        if self.objective == "accuracy":
            return 1 - accuracy
        if self.objective == "both":
            return likelihood + (1 - accuracy)
        return likelihood

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Train everything."""
        return torch.optim.Adam(self.parameters(), lr=0.01)


if __name__ == "__main__":
    LightningCLI(Classifier, Clouds, seed_everything_default=0, save_config_callback=None)
