# SPDX-License-Identifier: Apache-2.0
"""Affine couplings with alternating binary masks and learned prior."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Coupling(nn.Module):
    def __init__(self, d, flip):
        super().__init__()
        self.register_buffer("mask", (torch.arange(d) % 2 == int(flip)).float())
        self.net = nn.Sequential(nn.Linear(d, 12), nn.Tanh(), nn.Linear(12, 2 * d))

    def forward(self, x):
        s, t = self.net(x * self.mask).chunk(2, -1)
        s = torch.tanh(s) * (1 - self.mask)
        return x * self.mask + (1 - self.mask) * (x * s.exp() + t), s.sum(-1)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.flow = nn.ModuleList([Coupling(4, False), Coupling(4, True)])
        self.loc, self.log_scale = nn.Parameter(torch.zeros(4)), nn.Parameter(torch.zeros(4))

    def training_step(self, batch, batch_idx):
        (z,) = batch
        logdet = torch.zeros(len(z))
        for layer in self.flow:
            z, ld = layer(z)
            logdet += ld
        prior = torch.distributions.Normal(self.loc, self.log_scale.exp())
        return -(prior.log_prob(z).sum(-1) + logdet).mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(736)
    x = torch.randn(24, 4, generator=g)
    return DataLoader(TensorDataset(x), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "Masks are constants.",
    "all_grads_by_step": 1,
    "source": "own",
}
