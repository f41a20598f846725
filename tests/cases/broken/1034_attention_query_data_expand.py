# SPDX-License-Identifier: Apache-2.0
"""The learned query of an attention pooling is expanded from its .data."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Pool(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.dim = dim
        self.att = nn.MultiheadAttention(dim, 2, batch_first=True)

    def forward(self, q, seq):
        out, _ = self.att(q, seq, seq, need_weights=False)
        return out[:, 0]


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.query = nn.Parameter(torch.randn(1, 1, 6))
        self.pool = Pool(6)
        self.out = nn.Linear(6, 4)

    def training_step(self, batch, batch_idx):
        x, y = batch
        q = self.query.data.expand(len(x), -1, -1)  # <-- CAUSE
        return F.cross_entropy(self.out(self.pool(q, x)), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1034)
    return DataLoader(TensorDataset(torch.randn(24, 5, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'missing',
    'cause': 'Tensor.data',
    'line_marker': '# <-- CAUSE',
    'params': ['query'],
    'metric_like': None,
    'source': 'own',
    'notes': 'The learned query of an attention pooling is expanded from its .data.',
}
