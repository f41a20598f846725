# SPDX-License-Identifier: Apache-2.0
"""The log-variance is clamped to [2, 10] although the head starts near zero: it is always below."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class GaussianHead(nn.Module):
    def __init__(self, dim, low=2.0, high=10.0):
        super().__init__()
        self.mean = nn.Linear(dim, 1)
        self.logvar = nn.Linear(dim, 1)
        self.low, self.high = low, high

    def forward(self, h):
        logvar = torch.clamp(self.logvar(h), self.low, self.high)  # <-- CAUSE
        return self.mean(h), logvar


def gaussian_nll(mean, logvar, y):
    return 0.5 * (logvar + (y - mean).square() / logvar.exp()).mean()


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(5, 10), nn.Tanh())
        self.dist = GaussianHead(10)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return gaussian_nll(*self.dist(self.body(x)), y[:, None])

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(412)
    x = torch.randn(12, 5, generator=g)
    return DataLoader(TensorDataset(x, torch.randn(12, generator=g)), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "zero",
    "cause": "torch.clamp",
    "line_marker": "# <-- CAUSE",
    "params": ["dist.logvar.*"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
