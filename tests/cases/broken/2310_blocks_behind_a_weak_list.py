# SPDX-License-Identifier: Apache-2.0
"""Blocks are kept in an itertools-made dict of dicts and called through a method table."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.table = {side: {k: nn.Linear(6, 6) for k in "ab"} for side in ("left", "right")}  # <-- CAUSE
        self.cls = nn.Linear(6, 4)

    def training_step(self, batch, batch_idx):
        x, y = batch
        left, right = (self.table[s]["b"](self.table[s]["a"](x).relu()) for s in ("left", "right"))
        return F.cross_entropy(self.cls(left * right), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2310)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'symptom': 'not_registered', 'cause': 'dict', 'line_marker': '# <-- CAUSE', 'params': ['table*'], 'metric_like': None, 'source': 'own', 'notes': 'Blocks are kept in an itertools-made dict of dicts and called through a method table.'}
