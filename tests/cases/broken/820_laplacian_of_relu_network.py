# SPDX-License-Identifier: Apache-2.0
"""Physics-informed net with ReLU: the second derivative is identically zero, so the PDE term trains nothing."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.u = nn.Sequential(
            nn.Linear(1, 16),
            nn.ReLU(),  # <-- ALSO
            nn.Linear(16, 16),
            nn.ReLU(),  # <-- ALSO
            nn.Linear(16, 1),
        )

    def laplacian(self, x):
        u = self.u(x)  # <-- ALSO
        du = torch.autograd.grad(u.sum(), x, create_graph=True)[0]  # <-- ALSO
        return torch.autograd.grad(du.sum(), x, create_graph=True)[0]  # <-- CAUSE

    def training_step(self, batch, batch_idx):
        (x,) = batch
        x = x.requires_grad_(True)
        pde = (self.laplacian(x) + torch.sin(3 * x.detach())).pow(2).mean()
        edge = torch.tensor([[0.0], [1.0]])
        bc = (self.u(edge) - edge).pow(2).mean() + (self.u(x.detach()) * 0.1).pow(2).mean()
        self.log("pde", pde)
        self.log("bc", bc)
        return pde + bc

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(820)
    return DataLoader(TensorDataset(torch.rand(48, 1, generator=g)), batch_size=16)


EXPECT = {'verdict': 'broken', 'cause': 'relu', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'held', 'notes': '', 'also_marker': '# <-- ALSO', 'symptom': 'dead_term', 'term': 'pde'}
