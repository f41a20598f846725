# SPDX-License-Identifier: Apache-2.0
"""A fully connected layer is pruned by an amount of 1.0, which means all of it."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torch.nn.utils import prune


class Model(pl.LightningModule):
    def __init__(self, amount=1.0):
        super().__init__()
        self.stem = nn.Linear(6, 8)
        self.fc = nn.Linear(8, 3)
        prune.l1_unstructured(self.fc, "weight", amount=amount)  # <-- CAUSE

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = self.stem(x).relu()
        return F.cross_entropy(self.fc(h), y)  # <-- ALSO

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def dataloader():
    g = torch.Generator().manual_seed(647)
    x = torch.randn(24, 6, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 3, (24,), generator=g)), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "zero",
    "cause": "torch.mul",
    "cause_alt": ["prune", "l1_unstructured", "mul"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": ["fc.weight_orig", "stem.*"],
    "metric_like": None,
    "weight_decay": True,
    "source": "own",
    "notes": "",
}
