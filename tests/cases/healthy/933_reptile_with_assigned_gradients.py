# SPDX-License-Identifier: Apache-2.0
"""Reptile: copies are trained inside the step, the difference of weights is assigned to .grad by hand."""
import copy

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.net = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 1))

    def training_step(self, batch, batch_idx):
        x, y = batch
        opt = self.optimizers()
        opt.zero_grad()
        for xi, yi in zip(x, y):
            fast = copy.deepcopy(self.net)
            inner = torch.optim.SGD(fast.parameters(), lr=0.05)
            for _ in range(3):
                loss = F.mse_loss(fast(xi), yi)
                inner.zero_grad()
                loss.backward()
                inner.step()
            for p, q in zip(self.net.parameters(), fast.parameters()):
                diff = (p.data - q.data) / len(x)
                p.grad = diff if p.grad is None else p.grad + diff
        opt.step()
        self.log("inner", loss.detach())

    def configure_optimizers(self):
        return torch.optim.SGD(self.net.parameters(), lr=1.0)


def dataloader():
    g = torch.Generator().manual_seed(933)
    return DataLoader(TensorDataset(torch.randn(6, 5, 2, generator=g), torch.randn(6, 5, 1, generator=g)), batch_size=2)


EXPECT = {'verdict': 'healthy', 'why': 'Reptile: copies are trained inside the step, the difference of weights is assigned to .grad by hand.', 'all_grads_by_step': 1, 'source': 'held'}
