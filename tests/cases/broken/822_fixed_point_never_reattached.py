# SPDX-License-Identifier: Apache-2.0
"""Deep equilibrium model: the solver runs under no_grad and the last differentiable application is forgotten."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Cell(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.w = nn.Linear(dim, dim)
        self.u = nn.Linear(dim, dim)

    def forward(self, z, x):
        return torch.tanh(0.5 * self.w(z) + self.u(x))


class DEQ(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.cell = Cell(dim)

    def forward(self, x):
        z = torch.zeros_like(x)
        with torch.no_grad():  # <-- CAUSE
            for _ in range(20):
                nxt = self.cell(z, x)  # <-- ALSO
                if (nxt - z).norm() < 1e-4:
                    break
                z = nxt
        return z


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.deq = DEQ(6)
        self.head = nn.Linear(6, 3)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.head(self.deq(x)), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(822)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 3, (24,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'cause': 'no_grad', 'line_marker': '# <-- CAUSE', 'params': ['deq.*'], 'metric_like': None, 'source': 'held', 'notes': '', 'also_marker': '# <-- ALSO', 'symptom': 'missing'}
