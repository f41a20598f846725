# SPDX-License-Identifier: Apache-2.0
"""functools.reduce adds a tuple of terms of which the last was rebuilt with torch.as_tensor of a list."""
import functools
import operator
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.levels = nn.ModuleList(nn.Linear(6, 6) for _ in range(3))
        self.cls = nn.Linear(6, 4)

    def training_step(self, batch, batch_idx):
        x, y = batch
        sparse = []
        for level in self.levels:
            x = level(x).relu()
            sparse.append(x.mean())
        spread = torch.as_tensor(sparse).var()  # <-- CAUSE
        self.log("spread", spread)
        terms = (F.cross_entropy(self.cls(x), y), 1e-2 * x.square().mean(), 0.1 * spread)
        return functools.reduce(operator.add, terms)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2302)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'symptom': 'dead_term', 'cause': 'torch.as_tensor', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'own', 'notes': 'functools.reduce adds a tuple of terms of which the last was rebuilt with torch.as_tensor of a list.', 'term': 'spread'}
