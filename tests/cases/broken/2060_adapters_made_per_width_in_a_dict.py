# SPDX-License-Identifier: Apache-2.0
"""Adapters are made on first use and kept in a plain dict, in no parameters()."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.adapters = {}
        self.body = nn.Linear(5, 4)

    def adapt(self, x):
        width = x.size(-1)
        if width not in self.adapters:
            self.adapters[width] = nn.Linear(width, 5)  # <-- CAUSE
        return self.adapters[width](x)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.body(self.adapt(x).tanh()), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2060)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'symptom': 'not_registered', 'cause': 'dict', 'line_marker': '# <-- CAUSE', 'params': ['adapters*'], 'metric_like': None, 'source': 'own', 'notes': 'Adapters are made on first use and kept in a plain dict, in no parameters().'}
