# SPDX-License-Identifier: Apache-2.0
"""A learned scalar feature is bucketized before an embedding table."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Binned(nn.Module):
    def __init__(self, bins, dim):
        super().__init__()
        self.pre = nn.Linear(4, 1)
        self.register_buffer("edges", torch.linspace(-1, 1, bins - 1))
        self.table = nn.Embedding(bins, dim)

    def forward(self, x):
        bucket = torch.bucketize(self.pre(x).squeeze(-1), self.edges)  # <-- CAUSE
        return self.table(bucket)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.binned = Binned(6, 5)
        self.out = nn.Linear(5, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.mse_loss(self.out(self.binned(x)), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(377)
    x = torch.randn(16, 4, generator=g)
    return DataLoader(TensorDataset(x, x[:, :1].sin()), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "torch.bucketize",
    "line_marker": "# <-- CAUSE",
    "params": ["binned.pre.*"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
