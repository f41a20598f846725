# SPDX-License-Identifier: Apache-2.0
"""A conditional expression binds the detached features whenever a memory exists, which is always."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc = nn.Linear(6, 8)
        self.head = nn.Linear(8, 4)
        self.memory = []

    def training_step(self, batch, batch_idx):
        x, y = batch
        feats = lambda z=None: (self.enc(x) if z is None else z)
        self.memory.append((h := feats()).detach())  # <-- CAUSE
        z = self.memory.pop() if self.memory else h
        return F.cross_entropy(self.head(torch.relu(z)), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1138)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'missing',
    'cause': 'Tensor.detach',
    'line_marker': '# <-- CAUSE',
    'params': ['enc.*'],
    'metric_like': None,
    'source': 'own',
    'notes': 'A conditional expression binds the detached features whenever a memory exists, which is always.',
}
