# SPDX-License-Identifier: Apache-2.0
"""A rotation matrix is assembled from a learned angle with torch.tensor."""

import pytorch_lightning as pl
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset


class Rotate(nn.Module):
    def __init__(self):
        super().__init__()
        self.angle = nn.Parameter(torch.tensor(0.3))

    def matrix(self):
        c, s = self.angle.cos(), self.angle.sin()
        return torch.tensor([[c, -s], [s, c]])  # <-- CAUSE

    def forward(self, xy):
        return xy @ self.matrix().T


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.rotate = Rotate()
        self.shift = nn.Parameter(torch.zeros(2))

    def training_step(self, batch, batch_idx):
        src, dst = batch
        return (self.rotate(src) + self.shift - dst).pow(2).sum(1).mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(366)
    xy = torch.randn(16, 2, generator=g)
    return DataLoader(TensorDataset(xy, xy.flip(1) + 1), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "torch.tensor",
    "line_marker": "# <-- CAUSE",
    "params": ["rotate.angle"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
