# SPDX-License-Identifier: Apache-2.0
"""Unscaled intensities drive a ReLU6 beyond its upper border on every unit."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 4, 3)
        nn.init.uniform_(self.stem.weight, 0.1, 0.5)
        self.act = nn.ReLU6()
        self.head = nn.Linear(4 * 16, 3)

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = self.act(self.stem(x * 255 + 1000))  # <-- CAUSE
        return F.cross_entropy(self.head(h.flatten(1)), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(667)
    x = torch.randn(12, 1, 6, 6, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 3, (12,), generator=g)), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "zero",
    "cause": "relu6",
    "cause_alt": ["ReLU6", "torch.nn.functional.relu6", "hardtanh", "F.relu6"],
    "line_marker": "# <-- CAUSE",
    "params": ["stem.*"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
