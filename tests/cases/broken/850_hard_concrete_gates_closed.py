# SPDX-License-Identifier: Apache-2.0
"""L0 regularisation: log_alpha starts at -10, every stretched gate is clamped to 0 and stays closed."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class L0Gate(nn.Module):
    def __init__(self, n, gamma=-0.1, zeta=1.1):
        super().__init__()
        self.log_alpha = nn.Parameter(torch.full((n,), -10.0))
        self.gamma, self.zeta = gamma, zeta

    def forward(self, x):
        u = torch.rand_like(self.log_alpha).clamp(1e-3, 1 - 1e-3)
        s = torch.sigmoid((u.log() - (1 - u).log() + self.log_alpha) / 0.66)
        z = (s * (self.zeta - self.gamma) + self.gamma).clamp(0, 1)  # <-- CAUSE
        return x * z


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(6, 10)
        self.gate = L0Gate(10)
        self.fc2 = nn.Linear(10, 3)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.fc2(self.gate(self.fc1(x).tanh())), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(850)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 3, (24,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'cause': 'clamp', 'line_marker': '# <-- CAUSE', 'params': ['fc1.*', 'gate.log_alpha', 'fc2.weight'], 'metric_like': None, 'source': 'held', 'notes': '', 'symptom': 'zero'}
