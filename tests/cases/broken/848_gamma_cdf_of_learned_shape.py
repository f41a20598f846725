# SPDX-License-Identifier: Apache-2.0
"""Survival analysis with a gamma distribution: gammainc has no derivative for its first argument."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 12), nn.ReLU(), nn.Linear(12, 2))

    def training_step(self, batch, batch_idx):
        x, t, event = batch
        shape, rate = F.softplus(self.net(x)).clamp(min=0.05).unbind(-1)
        logpdf = torch.distributions.Gamma(shape, rate).log_prob(t)
        surv = 1 - torch.special.gammainc(shape, rate * t)  # <-- CAUSE
        return -(event * logpdf + (1 - event) * torch.log(surv + 1e-6)).mean()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(848)
    return DataLoader(TensorDataset(torch.randn(24, 4, generator=g), 0.1 + torch.rand(24, generator=g), torch.rand(24, generator=g).round()), batch_size=8)


EXPECT = {'verdict': 'broken', 'cause': 'gammainc', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'held', 'notes': '', 'symptom': 'backward_error', 'error': 'not implemented'}
