# SPDX-License-Identifier: Apache-2.0
"""Neural ODE with a learnable step size that is turned into a Python float."""
import math

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class EulerODE(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.f = nn.Sequential(nn.Linear(dim, 16), nn.Tanh(), nn.Linear(16, dim))
        self.log_dt = nn.Parameter(torch.tensor(-2.0))

    def forward(self, y, steps=6):
        dt = math.exp(self.log_dt)  # <-- CAUSE
        for _ in range(steps):
            y = y + dt * self.f(y)
        return y


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.ode = EulerODE(3)
        self.out = nn.Linear(3, 2)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.mse_loss(self.out(self.ode(x)), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(821)
    return DataLoader(TensorDataset(torch.randn(24, 3, generator=g), torch.randn(24, 2, generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'cause': 'math.exp', 'line_marker': '# <-- CAUSE', 'params': ['ode.log_dt'], 'metric_like': None, 'source': 'held', 'notes': '', 'symptom': 'missing'}
