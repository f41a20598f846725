# SPDX-License-Identifier: Apache-2.0
"""Attention scores pass a Python sort of (score, position) pairs and come back as weights."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.score = nn.Linear(6, 1)
        self.out = nn.Linear(6, 4)

    def order(self, s):
        pairs = sorted(zip(s.tolist(), range(len(s))), reverse=True)  # <-- CAUSE
        return [(w, i) for w, i in pairs][:3]

    def training_step(self, batch, batch_idx):
        x, y = batch
        s = self.score(x).squeeze(-1).softmax(1)
        pooled = torch.stack([sum(w * row[i] for w, i in self.order(si)) for row, si in zip(x, s)])
        return F.cross_entropy(self.out(pooled), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1167)
    return DataLoader(TensorDataset(torch.randn(24, 5, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'missing',
    'cause': 'Tensor.tolist',
    'line_marker': '# <-- CAUSE',
    'params': ['score.*'],
    'metric_like': None,
    'source': 'own',
    'notes': 'Attention scores pass a Python sort of (score, position) pairs and come back as weights.',
}
