# SPDX-License-Identifier: Apache-2.0
"""A learned temperature is declared on the class, not on the instance."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class CosineHead(nn.Module):
    temperature = nn.Parameter(torch.tensor(5.0))  # <-- CAUSE

    def __init__(self, d, c):
        super().__init__()
        self.w = nn.Parameter(torch.randn(c, d))

    def forward(self, h):
        return self.temperature * F.normalize(h, dim=1) @ F.normalize(self.w, dim=1).T  # <-- ALSO


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.f, self.head = nn.Linear(5, 4), CosineHead(4, 3)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.head(self.f(x)), y)

    def configure_optimizers(self):
        return torch.optim.RMSprop(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(683)
    x = torch.randn(24, 5, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 3, (24,), generator=g)), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "not_registered",
    "cause": "class_attribute",
    "cause_alt": ["class"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": ["*temperature*"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
