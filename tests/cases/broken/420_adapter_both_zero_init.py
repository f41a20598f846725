# SPDX-License-Identifier: Apache-2.0
"""Adapter with both projections at zero: each multiplies the gradient of the other by zero."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Adapter(nn.Module):
    def __init__(self, dim, rank):
        super().__init__()
        self.down = nn.Linear(dim, rank, bias=False)
        self.up = nn.Linear(rank, dim, bias=False)
        for layer in (self.down, self.up):
            nn.init.zeros_(layer.weight)  # <-- CAUSE

    def forward(self, x):
        return x + self.up(self.down(x))  # <-- ALSO


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.base = nn.Linear(6, 8)
        self.adapter = Adapter(8, 2)
        self.cls = nn.Linear(8, 3)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.cls(self.adapter(torch.relu(self.base(x)))), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(420)
    x = torch.randn(12, 6, generator=g)
    y = torch.randint(0, 3, (12,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "zero",
    "cause": "zero_init",
    "cause_alt": ["linear", "zeros_", "init.zeros_"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": ["adapter.*"],
    "metric_like": None,
    "source": "own",
    "notes": "With only one of the two at zero the adapter would heal (LoRA).",
}
