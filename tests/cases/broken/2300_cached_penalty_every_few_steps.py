# SPDX-License-Identifier: Apache-2.0
"""The penalty is computed every few steps and kept detached between; this term trains nothing."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self, every=1):
        super().__init__()
        self.every, self.cached = every, None
        self.net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 4))

    def penalty(self):
        if self.cached is None or self.global_step % self.every == 0:
            total = sum(p.abs().sum() for p in self.net.parameters())
            self.cached = total.detach()  # <-- CAUSE
        return self.cached

    def training_step(self, batch, batch_idx):
        x, y = batch
        penalty = self.penalty()
        self.log("penalty", penalty)
        return F.cross_entropy(self.net(x), y) + 1e-3 * penalty

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2300)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'symptom': 'dead_term', 'cause': 'detach', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'own', 'notes': 'The penalty is computed every few steps and kept detached between; this term trains nothing.', 'term': 'penalty'}
