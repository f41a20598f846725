# SPDX-License-Identifier: Apache-2.0
"""Neural SDF renderer: sphere tracing under no_grad, then the hit point is made differentiable; eikonal loss with double backward."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.sdf = nn.Sequential(nn.Linear(3, 24), nn.Softplus(beta=5), nn.Linear(24, 1))
        self.rgb = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 3))

    def grad(self, p):
        p = p.detach().requires_grad_(True)
        d = self.sdf(p)
        return d, torch.autograd.grad(d.sum(), p, create_graph=True)[0]

    def training_step(self, batch, batch_idx):
        o, d, c = batch
        with torch.no_grad():
            t = torch.zeros(len(o), 1)
            for _ in range(8):
                t = (t + 0.5 * self.sdf(o + t * d)).clamp(0, 4)
        f, n = self.grad(o + t * d)
        slope = (n * d).sum(-1, keepdim=True).detach()
        slope = torch.where(slope.abs() < 1e-2, torch.full_like(slope, 1e-2), slope)
        p = o + (t - (f - f.detach()) / slope) * d
        col = self.rgb(torch.cat([p, F.normalize(n, dim=-1)], -1)).sigmoid()
        _, g = self.grad(torch.rand(16, 3) * 2 - 1)
        eik = (g.norm(dim=-1) - 1).pow(2).mean()
        return F.l1_loss(col, c) + 0.1 * eik

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(944)
    return DataLoader(TensorDataset(torch.randn(24, 3, generator=g), F.normalize(torch.randn(24, 3, generator=g), dim=1), torch.rand(24, 3, generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': 'Neural SDF renderer: sphere tracing under no_grad, then the hit point is made differentiable; eikonal loss with double backward.', 'all_grads_by_step': 1, 'source': 'held'}
