# SPDX-License-Identifier: Apache-2.0
"""One encoder, registered under two attributes and called twice, with a distance head."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.left = nn.Sequential(nn.Linear(4, 8), nn.CELU(), nn.Linear(8, 4))
        self.right = self.left
        self.scale = nn.Parameter(torch.ones(4))

    def training_step(self, batch, batch_idx):
        x, y = batch
        a, b = self.left(x[:, :4]), self.right(x[:, 4:])
        dist = ((a - b).abs() * self.scale).sum(1)
        same = (y == 0).float()
        return (same * dist.square() + (1 - same) * F.relu(2 - dist).square()).mean()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(553)
    data = TensorDataset(torch.randn(24, 8, generator=g), torch.randint(0, 2, (24,), generator=g))
    return DataLoader(data, batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "Both names mean the same layers. Their last bias cancels exactly in the difference.",
    "all_grads_by_step": 1, "never": ["left.2.bias"],
    "source": "own",
}
