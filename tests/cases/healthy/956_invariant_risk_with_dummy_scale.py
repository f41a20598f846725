# SPDX-License-Identifier: Apache-2.0
"""Invariant risk minimisation: the penalty is the squared gradient with respect to a constant dummy scale."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 12), nn.ReLU(), nn.Linear(12, 1))

    def penalty(self, logits, y):
        scale = torch.tensor(1.0, requires_grad=True)
        a = F.binary_cross_entropy_with_logits(logits[::2] * scale, y[::2])
        b = F.binary_cross_entropy_with_logits(logits[1::2] * scale, y[1::2])
        ga = torch.autograd.grad(a, [scale], create_graph=True)[0]
        gb = torch.autograd.grad(b, [scale], create_graph=True)[0]
        return torch.sum(ga * gb)

    def training_step(self, batch, batch_idx):
        x, y, env = batch
        nll, pen = 0.0, 0.0
        for e in (0, 1):
            lo = self.net(x[env == e]).squeeze(-1)
            nll = nll + F.binary_cross_entropy_with_logits(lo, y[env == e])
            pen = pen + self.penalty(lo, y[env == e])
        self.log("penalty", pen)
        return nll + 10.0 * pen

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(956)
    return DataLoader(TensorDataset(torch.randn(48, 4, generator=g), torch.rand(48, generator=g).round(), torch.arange(48) % 2), batch_size=16)


EXPECT = {'verdict': 'healthy', 'why': 'Invariant risk minimisation: the penalty is the squared gradient with respect to a constant dummy scale.', 'all_grads_by_step': 1, 'source': 'held'}
