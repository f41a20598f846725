# SPDX-License-Identifier: Apache-2.0
"""Recommender with BPR: log(sigmoid(pos - neg)) underflows because the factors are initialised with a standard deviation of 20."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Model(pl.LightningModule):
    def __init__(self, users=10, items=20, dim=8):
        super().__init__()
        self.user = nn.Embedding(users, dim)
        self.item = nn.Embedding(items, dim)
        for e in (self.user, self.item):
            nn.init.normal_(e.weight, std=20.0)

    def score(self, u, i):
        return (self.user(u) * self.item(i)).sum(-1)

    def training_step(self, batch, batch_idx):
        u, pos = batch
        neg = torch.randint(0, 20, pos.shape)
        diff = self.score(u, pos) - self.score(u, neg)
        loss = -torch.log(torch.sigmoid(diff)).mean()  # <-- CAUSE
        self.log("bpr", loss)
        return loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(818)
    return DataLoader(TensorDataset(torch.randint(0, 10, (48,), generator=g), torch.randint(0, 20, (48,), generator=g)), batch_size=16)


EXPECT = {'verdict': 'broken', 'cause': 'torch.log', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'held', 'notes': '', 'symptom': 'nonfinite', 'loss_finite': False}
