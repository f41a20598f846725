# SPDX-License-Identifier: Apache-2.0
"""A two-dimensional grid of layers in nested Python lists."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Grid(nn.Module):
    def __init__(self, rows, cols, d):
        super().__init__()
        self.cells = [[nn.Linear(d, d) for _ in range(cols)] for _ in range(rows)]  # <-- CAUSE

    def forward(self, x):
        for row in self.cells:
            x = torch.stack([cell(x).tanh() for cell in row]).mean(0)
        return x


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.grid = Grid(2, 2, 5)
        self.head = nn.Linear(5, 3)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.head(self.grid(x)), y)

    def configure_optimizers(self):
        return torch.optim.RMSprop(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(678)
    x = torch.randn(24, 5, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 3, (24,), generator=g)), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "not_registered",
    "cause": "python_list",
    "cause_alt": ["list"],
    "line_marker": "# <-- CAUSE",
    "params": ["grid*"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
