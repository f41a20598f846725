# SPDX-License-Identifier: Apache-2.0
"""Heading by atan2 of a zero-initialised direction head: stuck at the origin for ever."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Heading(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.xy = nn.Linear(dim, 2)
        nn.init.zeros_(self.xy.weight)
        nn.init.zeros_(self.xy.bias)

    def forward(self, h):
        x, y = self.xy(h).unbind(-1)
        return torch.atan2(y, x)  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(5, 8), nn.Tanh())
        self.heading = Heading(8)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return (1 - torch.cos(self.heading(self.body(x)) - y)).mean()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(435)
    x = torch.randn(12, 5, generator=g)
    return DataLoader(TensorDataset(x, torch.randn(12, generator=g)), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "zero",
    "cause": "torch.atan2",
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": None,
    "loss_finite": True,
    "source": "own",
    "notes": (
        "At the origin torch gives atan2 a gradient of zero, not NaN; the head never leaves it."
    ),
}
