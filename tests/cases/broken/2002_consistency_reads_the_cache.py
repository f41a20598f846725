# SPDX-License-Identifier: Apache-2.0
"""Temporal ensembling: the cache is written first and the consistency is then computed from the cache."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 12), nn.GELU(), nn.Linear(12, 4))
        self.register_buffer("seen", torch.full((48, 4), 0.25))
        self.register_buffer("ensemble", torch.full((48, 4), 0.25))

    def training_step(self, batch, batch_idx):
        index, x, y = batch
        logits = self.net(x)
        self.seen[index] = logits.softmax(1).detach()  # <-- CAUSE
        consistency = F.mse_loss(self.seen[index], self.ensemble[index])
        self.ensemble[index] = 0.6 * self.ensemble[index] + 0.4 * self.seen[index]
        self.log("consistency", consistency)
        return F.cross_entropy(logits, y) + 2.0 * consistency

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2002)
    return DataLoader(TensorDataset(torch.arange(48), torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'symptom': 'dead_term', 'cause': 'detach', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'own', 'notes': 'Temporal ensembling: the cache is written first and the consistency is then computed from the cache.', 'term': 'consistency'}
