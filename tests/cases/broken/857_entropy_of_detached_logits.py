# SPDX-License-Identifier: Apache-2.0
"""Discrete SAC: the entropy bonus is computed from logits that were detached for the log."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.pi = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
        self.q = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))

    def entropy(self, logits):
        return torch.distributions.Categorical(logits=logits.detach()).entropy()  # <-- CAUSE

    def training_step(self, batch, batch_idx):
        s, a, r = batch
        logits = self.pi(s)
        q = self.q(s)
        critic = F.mse_loss(q.gather(1, a[:, None]).squeeze(1), r)
        actor = -(logits.softmax(1) * q.detach()).sum(1).mean()
        ent = self.entropy(logits).mean()
        self.log("actor", actor)
        self.log("entropy", ent)
        return critic + actor - 0.05 * ent

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(857)
    return DataLoader(TensorDataset(torch.randn(24, 4, generator=g), torch.randint(0, 3, (24,), generator=g), torch.randn(24, generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'cause': 'Tensor.detach', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'held', 'notes': '', 'symptom': 'dead_term', 'term': 'entropy'}
