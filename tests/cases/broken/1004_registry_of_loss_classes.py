# SPDX-License-Identifier: Apache-2.0
"""Losses are registered classes with __call__; the configured one counts sign errors."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


LOSSES = {}


def register(name):
    def add(cls):
        LOSSES[name] = cls
        return cls
    return add


@register("hinge")
class Hinge:
    def __call__(self, s, t):
        return F.relu(1 - s * t).mean()


@register("zero_one")
class ZeroOne:
    def __init__(self, weight=1.0):
        self.weight = weight

    def __call__(self, s, t):
        return self.weight * torch.lt(s * t, 0).to(s).mean()  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self, loss="zero_one"):
        super().__init__()
        self.net = nn.Linear(6, 1)
        self.criterion = LOSSES[loss]()

    def training_step(self, batch, batch_idx):
        x, y = batch
        return self.criterion(self.net(x), 2 * y - 1)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1004)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 2, (24, 1), generator=g).float()), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'no_grad_loss',
    'cause': 'Tensor.lt',
    'line_marker': '# <-- CAUSE',
    'params': 'all',
    'metric_like': 'MultilabelExactMatch',
    'source': 'own',
    'notes': 'Losses are registered classes with __call__; the configured one counts sign errors.',
}
