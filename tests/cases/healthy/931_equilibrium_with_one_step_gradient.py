# SPDX-License-Identifier: Apache-2.0
"""Deep equilibrium model with Jacobian-free backprop: solved under no_grad, then applied once with gradients."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Cell(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.w, self.u, self.norm = nn.Linear(d, d, bias=False), nn.Linear(d, d), nn.LayerNorm(d)

    def forward(self, z, x):
        return torch.tanh(self.norm(0.5 * self.w(z) + self.u(x)))


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.cell, self.head = Cell(6), nn.Linear(6, 3)

    def solve(self, x):
        z = torch.zeros_like(x)
        with torch.no_grad():
            for i in range(30):
                nxt = self.cell(z, x)
                gap = (nxt - z).norm() / (z.norm() + 1e-6)
                z = nxt
                if gap < 1e-3:
                    break
        self.log("iterations", float(i))
        return self.cell(z, x)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.head(self.solve(x)), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(931)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 3, (24,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': 'Deep equilibrium model with Jacobian-free backprop: solved under no_grad, then applied once with gradients.', 'all_grads_by_step': 1, 'source': 'held'}
