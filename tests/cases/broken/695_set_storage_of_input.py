# SPDX-License-Identifier: Apache-2.0
"""The adapter output is moved into a preallocated workspace through set_ and .data."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Workspace:
    def __init__(self):
        self.buffer = torch.empty(0)

    def take(self, t):
        self.buffer.set_(t.data)  # <-- CAUSE
        return self.buffer


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.adapter, self.head = nn.Linear(5, 5), nn.Linear(5, 2)
        self.workspace = Workspace()

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.head(self.workspace.take(self.adapter(x))), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(695)
    x = torch.randn(24, 5, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 2, (24,), generator=g)), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "Tensor.data",
    "cause_alt": ["Tensor.set_", "data", "set_"],
    "line_marker": "# <-- CAUSE",
    "params": ["adapter.*"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
