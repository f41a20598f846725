# SPDX-License-Identifier: Apache-2.0
"""Domain-adversarial training: a Function that is the identity forward and flips the gradient, ramped from zero."""

import math

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Reverse(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, strength):
        ctx.strength = strength
        return x.view_as(x)

    @staticmethod
    def backward(ctx, grad):
        return -ctx.strength * grad, None


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.features = nn.Linear(6, 8)
        self.label, self.domain = nn.Linear(8, 3), nn.Sequential(nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 2))

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = torch.tanh(self.features(x))
        strength = 2 / (1 + math.exp(-self.global_step)) - 1
        side = (torch.arange(len(x)) % 2).long()
        adversary = F.cross_entropy(self.domain(Reverse.apply(h, strength)), side)
        return F.cross_entropy(self.label(h), y) + adversary

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(550)
    data = TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 3, (24,), generator=g))
    return DataLoader(data, batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "At strength zero the features still learn from the labels and the domain head from its own loss.",
    "all_grads_by_step": 1,
    "source": "own",
}
