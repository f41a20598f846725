# SPDX-License-Identifier: Apache-2.0
"""Continual learning: the penalty around the old weights starts at exactly zero; Fisher terms are buffers."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(5, 10), nn.ReLU(), nn.Linear(10, 3))
        self.old = {n: p.detach().clone() for n, p in self.net.named_parameters()}
        self.fisher = {n: torch.rand_like(p) for n, p in self.old.items()}

    def training_step(self, batch, batch_idx):
        x, y = batch
        pen = sum((self.fisher[n] * (p - self.old[n]) ** 2).sum() for n, p in self.net.named_parameters())
        self.log("ewc", pen)
        return F.cross_entropy(self.net(x), y) + 50 * pen

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(966)
    return DataLoader(TensorDataset(torch.randn(24, 5, generator=g), torch.randint(0, 3, (24,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': 'Continual learning: the penalty around the old weights starts at exactly zero; Fisher terms are buffers.', 'all_grads_by_step': 1, 'source': 'held'}
