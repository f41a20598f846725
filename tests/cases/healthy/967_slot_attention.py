# SPDX-License-Identifier: Apache-2.0
"""Slot attention: slots are sampled from learned statistics, iterations before the last are detached (implicit gradients)."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Model(pl.LightningModule):
    def __init__(self, d=8, slots=3):
        super().__init__()
        self.n = slots
        self.enc = nn.Conv2d(1, d, 3, padding=1)
        self.mu, self.log_sigma = nn.Parameter(torch.randn(1, 1, d)), nn.Parameter(torch.zeros(1, 1, d))
        self.q, self.k, self.v = (nn.Linear(d, d, bias=False) for _ in range(3))
        self.gru = nn.GRUCell(d, d)
        self.dec = nn.Linear(d, 2 * 16)

    def step(self, s, k, v):
        a = torch.softmax(self.q(s) @ k.transpose(1, 2) / 8**0.5, 1)
        u = (a / (a.sum(-1, keepdim=True) + 1e-8)) @ v
        return self.gru(u.flatten(0, 1), s.flatten(0, 1)).view_as(s)

    def training_step(self, batch, batch_idx):
        (img,) = batch
        f = self.enc(img).flatten(2).transpose(1, 2)
        k, v = self.k(f), self.v(f)
        init = self.mu + self.log_sigma.exp() * torch.randn(len(img), self.n, 8)
        s = init
        for _ in range(2):
            s = self.step(s, k, v)
        s = s.detach() + init - init.detach()
        s = self.step(s, k, v)
        rgb, alpha = self.dec(s).chunk(2, -1)
        mask = alpha.softmax(1)
        self.log("used", float(mask.argmax(1).unique().numel()))
        return F.mse_loss((rgb * mask).sum(1), img.flatten(1))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(967)
    return DataLoader(TensorDataset(torch.randn(12, 1, 4, 4, generator=g)), batch_size=4)


EXPECT = {'verdict': 'healthy', 'why': 'Slot attention: slots are sampled from learned statistics, iterations before the last are detached (implicit gradients).', 'all_grads_by_step': 1, 'source': 'held'}
