# SPDX-License-Identifier: Apache-2.0
"""Projected slots are written into a preallocated tensor inside a no_grad block."""

import pytorch_lightning as pl
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset


class SlotMemory(nn.Module):
    def __init__(self, slots, dim):
        super().__init__()
        self.slots = slots
        self.write = nn.ModuleList(nn.Linear(dim, dim) for _ in range(slots))
        self.read = nn.Linear(slots * dim, dim)

    def forward(self, x):
        memory = torch.empty(x.size(0), self.slots, x.size(1))
        with torch.no_grad():  # <-- CAUSE
            for i, layer in enumerate(self.write):
                memory[:, i] = layer(x)  # <-- ALSO
        return self.read(memory.flatten(1))


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.memory = SlotMemory(3, 4)
        self.head = nn.Linear(4, 2)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.head(self.memory(x)), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(362)
    x = torch.randn(12, 4, generator=g)
    y = torch.randint(0, 2, (12,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "no_grad",
    "cause_alt": ["torch.no_grad"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": ["memory.write.*"],
    "metric_like": None,
    "source": "own",
    "notes": "The same index write with gradients on would be differentiable.",
}
