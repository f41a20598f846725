# SPDX-License-Identifier: Apache-2.0
"""The parts of the network live in a SimpleNamespace."""
import types
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.parts = types.SimpleNamespace(enc=nn.Linear(6, 8), norm=nn.LayerNorm(8))  # <-- CAUSE
        self.head = nn.Linear(8, 4)

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = self.parts.norm(self.parts.enc(x)).relu()
        return F.cross_entropy(self.head(h), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2061)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'symptom': 'not_registered', 'cause': 'namespace', 'line_marker': '# <-- CAUSE', 'params': ['parts.*'], 'metric_like': None, 'source': 'own', 'notes': 'The parts of the network live in a SimpleNamespace.'}
