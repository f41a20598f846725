# SPDX-License-Identifier: Apache-2.0
"""A shared embedding layer is defined at module level."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


SHARED = nn.Linear(6, 6)  # <-- CAUSE


class Tower(nn.Module):
    def __init__(self):
        super().__init__()
        self.own = nn.Linear(6, 3)

    def forward(self, x):
        return self.own(torch.relu(SHARED(x)))  # <-- ALSO


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.a, self.b = Tower(), Tower()

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.a(x) + self.b(x.flip(1)), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(681)
    x = torch.randn(24, 6, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 3, (24,), generator=g)), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "not_registered",
    "cause": "global",
    "cause_alt": ["module_global", "python_global"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": ["*"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
