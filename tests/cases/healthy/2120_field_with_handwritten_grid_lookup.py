# SPDX-License-Identifier: Apache-2.0
"""An eikonal term differentiates a bilinear lookup that is written by hand twice."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.grid = nn.Parameter(torch.randn(8, 8, 3))
        self.out = nn.Linear(3, 1)

    def field(self, p):
        p = (p + 1) * 3.5
        low = p.detach().floor().long().clamp(0, 6)
        f = p - low
        i, j, u, v = low[:, 0], low[:, 1], f[:, :1], f[:, 1:]
        a = self.grid[i, j] * (1 - u) + self.grid[i + 1, j] * u
        b = self.grid[i, j + 1] * (1 - u) + self.grid[i + 1, j + 1] * u
        return self.out((a * (1 - v) + b * v).sin())

    def training_step(self, batch, batch_idx):
        (x,) = batch
        p = x[:, :2].tanh().requires_grad_()
        sdf = self.field(p)
        slope = torch.autograd.grad(sdf.sum(), p, create_graph=True)[0]
        eikonal = (slope.norm(dim=1) - 1).square().mean()
        self.log("eikonal", eikonal)
        return sdf.abs().mean() + 0.1 * eikonal

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2120)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': 'An eikonal term differentiates a bilinear lookup that is written by hand twice.', 'all_grads_by_step': 1, 'source': 'own'}
