# SPDX-License-Identifier: Apache-2.0
"""The margin came with a minus sign: the hinge on a distance that is never negative is always satisfied."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self, margin=-1.0):
        super().__init__()
        self.margin = margin
        self.emb = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
        self.cls = nn.Linear(3, 4)

    def training_step(self, batch, batch_idx):
        x, y = batch
        z = self.emb(x)
        gap = (z - z.roll(1, 0)).square().sum(1)
        push = torch.clamp(self.margin - gap, min=0)[y != y.roll(1)].mean()  # <-- CAUSE
        self.log("push", push)
        return F.cross_entropy(self.cls(z), y) + push

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2008)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'symptom': 'dead_term', 'cause': 'torch.clamp', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'own', 'notes': 'The margin came with a minus sign: the hinge on a distance that is never negative is always satisfied.', 'term': 'push'}
