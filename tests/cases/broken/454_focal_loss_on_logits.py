# SPDX-License-Identifier: Apache-2.0
"""Focal loss written for probabilities and fed with logits."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def focal(p, y, gamma=2.0):
    pt = torch.where(y > 0, p, 1 - p)
    return -((1 - pt) ** gamma * torch.log(pt)).mean()  # <-- CAUSE


class BaseClassifier(pl.LightningModule):
    def training_step(self, batch, batch_idx):
        x, y = batch
        out = self(x)
        return focal(out, y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


class Model(BaseClassifier):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(6, 10), nn.ReLU(), nn.Linear(10, 1), nn.Flatten(0))
        nn.init.constant_(self.layers[2].bias, -2.0)

    def forward(self, x):
        return self.layers(x)


def dataloader():
    g = torch.Generator().manual_seed(454)
    x = torch.randn(16, 6, generator=g)
    return DataLoader(TensorDataset(x, (x[:, 0] > 0).float()), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "nonfinite",
    "cause": "torch.log",
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": None,
    "loss_finite": False,
    "source": "own",
    "notes": "",
}
