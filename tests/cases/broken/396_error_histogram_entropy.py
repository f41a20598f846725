# SPDX-License-Identifier: Apache-2.0
"""Entropy of a torch.histogram of the activations as regulariser."""

import pytorch_lightning as pl
import torch
import torch.nn as nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset


def entropy(v, bins=6):
    counts, _ = torch.histogram(v.flatten(), bins=bins, range=(0.0, 1.0))  # <-- CAUSE
    p = counts / counts.sum() + 1e-9
    return -(p * p.log()).sum()


class Model(pl.LightningModule):
    def __init__(self, weight=0.01):
        super().__init__()
        self.weight = weight
        self.hidden = nn.Sequential(nn.Linear(4, 8), nn.Sigmoid())
        self.out = nn.Linear(8, 2)

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = self.hidden(x)
        return F.mse_loss(self.out(h), y) - self.weight * entropy(h)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(396)
    x = torch.randn(12, 4, generator=g)
    return DataLoader(TensorDataset(x, x[:, :2].sin()), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "backward_error",
    "cause": "torch.histogram",
    "line_marker": "# <-- CAUSE",
    "params": ["hidden.*"],
    "metric_like": None,
    "error": "derivative for aten::histogram is not implemented",
    "source": "own",
    "notes": "",
}
