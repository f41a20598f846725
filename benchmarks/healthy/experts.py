# SPDX-License-Identifier: Apache-2.0
"""Soft experts for two tasks whose losses weigh themselves, beside a slow copy of the targets."""

import copy

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.experts = nn.ModuleList([nn.Linear(5, 6) for _ in range(3)])
        self.router = nn.Linear(5, 3)
        self.first = nn.Linear(6, 2)
        self.second = nn.Linear(6, 1)
        self.doubt = nn.Parameter(torch.zeros(2))
        self.slow = copy.deepcopy(self.router).requires_grad_(False)

    def forward(self, x):
        share = torch.softmax(self.router(x), dim=1)
        said = torch.stack([e(x) for e in self.experts], 1)
        h = (share[:, :, None] * said).sum(1)
        h = F.softplus(h)
        return h, share

    def training_step(self, batch, batch_idx):
        x, kinds, sizes = batch
        h, share = self(x)
        with torch.no_grad():
            target = torch.softmax(self.slow(x), dim=1)
        first = F.cross_entropy(self.first(h), kinds)
        second = F.mse_loss(self.second(h).squeeze(1), sizes)
        losses = torch.stack([first, second])
        weighed = (losses * torch.exp(-self.doubt) + self.doubt).sum()
        steady = F.mse_loss(share, target)
        loss = weighed + 0.1 * steady
        return loss

    def configure_optimizers(self):
        return torch.optim.Adam([p for p in self.parameters() if p.requires_grad], lr=1e-3)


def batch():
    return torch.randn(9, 5), torch.randint(2, (9,)), torch.randn(9)
