# SPDX-License-Identifier: Apache-2.0
"""Diffusion with classifier-free guidance: the null embedding replaces the class at random, so it may wait for its first gradient."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Model(pl.LightningModule):
    def __init__(self, steps=20):
        super().__init__()
        beta = torch.linspace(1e-3, 0.2, steps)
        self.register_buffer("abar", torch.cumprod(1 - beta, 0))
        self.time, self.label = nn.Embedding(steps, 8), nn.Embedding(3, 8)
        self.null = nn.Parameter(torch.zeros(8))
        self.net = nn.Sequential(nn.Linear(4 + 8, 24), nn.SiLU(), nn.Linear(24, 4))
        self.rng = torch.Generator().manual_seed(3)

    def training_step(self, batch, batch_idx):
        x, y = batch
        t = torch.randint(0, len(self.abar), (len(x),))
        noise = torch.randn_like(x)
        a = self.abar[t][:, None]
        drop = torch.rand(len(x), generator=self.rng) < 0.1
        c = torch.where(drop[:, None], self.null, self.label(y))
        eps = self.net(torch.cat([a.sqrt() * x + (1 - a).sqrt() * noise, self.time(t) + c], 1))
        x0 = (x - (1 - a).sqrt() * eps.detach()) / a.sqrt()
        self.log("x0_range", x0.abs().max())
        snr = a / (1 - a)
        w = torch.minimum(snr, torch.full_like(snr, 5.0)) / snr
        return (w * (eps - noise) ** 2).mean()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(918)
    return DataLoader(TensorDataset(torch.randn(48, 4, generator=g), torch.randint(0, 3, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': 'Diffusion with classifier-free guidance: the null embedding replaces the class at random, so it may wait for its first gradient.', 'all_grads_by_step': 1, 'source': 'held', 'steps': 6}
