# SPDX-License-Identifier: Apache-2.0
"""Whitening through eigh: equal eigenvalues give eigenvector gradients that are not finite."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Whitening(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(dim))

    def covariance(self):
        return torch.diag(self.log_scale.exp())

    def forward(self, x):
        values, vectors = torch.linalg.eigh(self.covariance())  # <-- CAUSE
        return x @ vectors @ torch.diag(values.rsqrt())


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.white = Whitening(4)
        self.cls = nn.Linear(4, 3)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.cls(self.white(x)), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(453)
    x = torch.randn(12, 4, generator=g)
    y = torch.randint(0, 3, (12,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "nonfinite",
    "cause": "torch.linalg.eigh",
    "line_marker": "# <-- CAUSE",
    "params": ["white.log_scale"],
    "metric_like": None,
    "loss_finite": True,
    "source": "own",
    "notes": "",
}
