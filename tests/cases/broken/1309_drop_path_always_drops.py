# SPDX-License-Identifier: Apache-2.0
"""The keep probability of the stochastic depth is zero."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


def drop_path(h, drop, training):
    if not training or drop == 0.0:
        return h
    keep = torch.full((len(h), 1), 1.0 - drop).bernoulli()  # <-- ALSO
    return h * keep  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self, drop=1.0):
        super().__init__()
        self.drop = drop
        self.branch = nn.Sequential(nn.Linear(6, 6), nn.GELU())
        self.out = nn.Linear(6, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.mse_loss(self.out(x + drop_path(self.branch(x), self.drop, self.training)), y)  # <-- ALSO

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1309)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'zero',
    'cause': 'mul',
    'line_marker': '# <-- CAUSE',
    'also_marker': '# <-- ALSO',
    'params': ['branch.*'],
    'metric_like': None,
    'source': 'own',
    'notes': 'The keep probability of the stochastic depth is zero.',
}
