# SPDX-License-Identifier: Apache-2.0
"""Optimal transport: the Sinkhorn plan is computed in the log domain without gradient, the loss is plan times cost."""
import math

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

@torch.no_grad()
def plan(cost, eps=0.1, iters=30):
    n, m = cost.shape
    f, g = torch.zeros(n), torch.zeros(m)
    for _ in range(iters):
        f = -eps * torch.logsumexp((g - cost) / eps - math.log(m), 1)
        g = -eps * torch.logsumexp((f[:, None] - cost) / eps - math.log(n), 0)
    return torch.exp((f[:, None] + g - cost) / eps) / (n * m)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.gen = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 2))

    def training_step(self, batch, batch_idx):
        (real,) = batch
        cost = torch.cdist(self.gen(torch.randn(len(real), 2)), real).pow(2)
        p = plan(cost)
        self.log("entropy", -(p * (p + 1e-12).log()).sum())
        return (p * cost).sum()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(946)
    return DataLoader(TensorDataset(2 + torch.randn(36, 2, generator=g)), batch_size=12)


EXPECT = {'verdict': 'healthy', 'why': 'Optimal transport: the Sinkhorn plan is computed in the log domain without gradient, the loss is plan times cost.', 'all_grads_by_step': 1, 'source': 'held'}
