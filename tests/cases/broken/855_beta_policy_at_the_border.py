# SPDX-License-Identifier: Apache-2.0
"""Continuous control with a Beta policy: an action of exactly 1 has an infinite log-density."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class BetaActor(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 2))

    def forward(self, s):
        a, b = (1 + F.softplus(self.net(s))).unbind(-1)
        return torch.distributions.Beta(a, b)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.actor = BetaActor()

    def training_step(self, batch, batch_idx):
        s, act, adv = batch
        logp = self.actor(s).log_prob(act)  # <-- CAUSE
        return -(logp * adv).mean()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(855)
    a = 0.1 + 0.8 * torch.rand(24, generator=g)
    a[3] = 1.0
    a[10] = 1.0
    a[20] = 1.0
    return DataLoader(TensorDataset(torch.randn(24, 4, generator=g), a, torch.rand(24, generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'cause': 'log_prob', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'held', 'notes': '', 'symptom': 'nonfinite', 'loss_finite': False, 'steps': 1}
