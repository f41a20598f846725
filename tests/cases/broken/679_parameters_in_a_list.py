# SPDX-License-Identifier: Apache-2.0
"""Learned scales are kept as a list of parameters."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Block(nn.Module):
    def __init__(self, d, n):
        super().__init__()
        self.lins = nn.ModuleList(nn.Linear(d, d) for _ in range(n))
        self.scales = []
        for _ in range(n):
            self.scales.append(nn.Parameter(torch.ones(d)))  # <-- CAUSE

    def forward(self, x):
        for lin, s in zip(self.lins, self.scales, strict=True):
            x = x + s * lin(x).relu()
        return x


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.block = Block(5, 2)
        self.head = nn.Linear(5, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.mse_loss(self.head(self.block(x))[:, 0], y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.02, momentum=0.9)


def dataloader():
    g = torch.Generator().manual_seed(679)
    x = torch.randn(24, 5, generator=g)
    return DataLoader(TensorDataset(x, torch.randn(24, generator=g)), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "not_registered",
    "cause": "python_list",
    "cause_alt": ["list"],
    "line_marker": "# <-- CAUSE",
    "params": ["block.scales*"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
