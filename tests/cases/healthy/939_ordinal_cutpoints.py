# SPDX-License-Identifier: Apache-2.0
"""Ordinal regression: ordered cutpoints by cumulative softplus, predicted class by counting exceeded cutpoints."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Model(pl.LightningModule):
    def __init__(self, classes=5):
        super().__init__()
        self.net = nn.Linear(4, 1)
        self.first = nn.Parameter(torch.tensor(-1.0))
        self.gaps = nn.Parameter(torch.zeros(classes - 2))

    def cuts(self):
        return torch.cat([self.first[None], self.first + F.softplus(self.gaps).cumsum(0)])

    def training_step(self, batch, batch_idx):
        x, y = batch
        s, cuts = self.net(x), self.cuts()
        cdf = torch.cat([torch.zeros(len(x), 1), torch.sigmoid(cuts - s), torch.ones(len(x), 1)], 1)
        p = (cdf[:, 1:] - cdf[:, :-1]).clamp(min=1e-6)
        pred = (s > cuts).sum(1)
        self.log("mae", (pred - y).abs().float().mean())
        return F.nll_loss(p.log(), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(939)
    return DataLoader(TensorDataset(torch.randn(36, 4, generator=g), torch.arange(36) % 5), batch_size=12)


EXPECT = {'verdict': 'healthy', 'why': 'Ordinal regression: ordered cutpoints by cumulative softplus, predicted class by counting exceeded cutpoints.', 'all_grads_by_step': 1, 'source': 'held'}
