# SPDX-License-Identifier: Apache-2.0
"""Radiance field: ReLU density with a bias of -10 is zero along every ray, all weights are zero."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Field(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(3, 16), nn.ReLU())
        self.sigma = nn.Linear(16, 1)
        self.rgb = nn.Linear(16, 3)
        nn.init.constant_(self.sigma.bias, -10.0)

    def forward(self, p):
        h = self.trunk(p)
        density = F.relu(self.sigma(h)).squeeze(-1)  # <-- CAUSE
        return density, self.rgb(h).sigmoid()


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.field = Field()

    def render(self, o, d, n=8):
        t = torch.linspace(0.1, 2.0, n)
        sigma, rgb = self.field(o[:, None] + t[None, :, None] * d[:, None])
        alpha = 1 - torch.exp(-sigma * (2.0 / n))
        trans = torch.cumprod(torch.cat([torch.ones(len(o), 1), 1 - alpha + 1e-10], 1), 1)[:, :-1]
        return ((alpha * trans)[..., None] * rgb).sum(1)

    def training_step(self, batch, batch_idx):
        o, d, c = batch
        return F.mse_loss(self.render(o, d), c)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(834)
    return DataLoader(TensorDataset(torch.randn(24, 3, generator=g), F.normalize(torch.randn(24, 3, generator=g), dim=1), torch.rand(24, 3, generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'cause': 'relu', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'held', 'notes': '', 'symptom': 'zero'}
