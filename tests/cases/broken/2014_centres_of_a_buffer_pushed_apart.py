# SPDX-License-Identifier: Apache-2.0
"""The centres that are pushed apart live in a buffer of detached features."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.body, self.cls = nn.Linear(6, 5), nn.Linear(5, 4)
        self.register_buffer("centre", torch.eye(4, 5))

    def training_step(self, batch, batch_idx):
        x, y = batch
        z = torch.tanh(self.body(x))
        for k in range(4):
            members = z[y == k]
            if len(members):
                self.centre[k] = 0.9 * self.centre[k] + 0.1 * members.mean(0).detach()  # <-- CAUSE
        spread = torch.exp(-torch.pdist(self.centre)).mean()
        self.log("spread", spread)
        return F.cross_entropy(self.cls(z), y) + spread

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2014)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'symptom': 'dead_term', 'cause': 'detach', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'own', 'notes': 'The centres that are pushed apart live in a buffer of detached features.', 'term': 'spread'}
