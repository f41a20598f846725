# SPDX-License-Identifier: Apache-2.0
"""Mixture density network with the likelihood written out: targets around 100 underflow every component."""
import math

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class MDN(nn.Module):
    def __init__(self, n_in, k=3):
        super().__init__()
        self.hid = nn.Sequential(nn.Linear(n_in, 16), nn.Tanh())
        self.pi, self.mu, self.ls = nn.Linear(16, k), nn.Linear(16, k), nn.Linear(16, k)

    def forward(self, x):
        h = self.hid(x)
        return self.pi(h).softmax(-1), self.mu(h), self.ls(h).exp()


def mdn_nll(pi, mu, sigma, y):
    z = (y[:, None] - mu) / sigma
    pdf = torch.exp(-0.5 * z**2) / (sigma * math.sqrt(2 * math.pi))
    return -torch.log((pi * pdf).sum(-1)).mean()  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.mdn = MDN(3)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return mdn_nll(*self.mdn(x), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(846)
    return DataLoader(TensorDataset(torch.randn(24, 3, generator=g), 100 + torch.randn(24, generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'cause': 'torch.log', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'held', 'notes': '', 'symptom': 'nonfinite', 'loss_finite': False}
