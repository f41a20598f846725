# SPDX-License-Identifier: Apache-2.0
"""Symmetric normalisation of a learned adjacency whose last node has no edge."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.edge = nn.Parameter(torch.rand(6, 6))
        self.out = nn.Linear(6, 1)

    def adjacency(self):
        a = self.edge.sigmoid() * (torch.arange(6) < 5).float() * (torch.arange(6) < 5).float()[:, None]
        d = a.sum(1).rsqrt()  # <-- CAUSE
        d = torch.where(torch.isinf(d), 0.0, d)
        return d[:, None] * a * d

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.mse_loss(self.out(x @ self.adjacency()), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1096)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'nonfinite',
    'cause': 'torch.rsqrt',
    'line_marker': '# <-- CAUSE',
    'params': ['edge'],
    'metric_like': None,
    'source': 'own',
    'notes': 'Symmetric normalisation of a learned adjacency whose last node has no edge.',
    'loss_finite': True,
}
