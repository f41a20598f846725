# SPDX-License-Identifier: Apache-2.0
"""The zero-initialised gate of a residual branch is used by its absolute value, whose derivative at zero is zero."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.skip = nn.Linear(6, 8)
        self.branch = nn.Sequential(nn.Linear(6, 8), nn.Tanh())
        self.gamma = nn.Parameter(torch.zeros(8))
        self.out = nn.Linear(8, 1)

    def forward(self, x):
        strength = self.gamma.abs()  # <-- CAUSE
        return self.out(self.skip(x) + strength * self.branch(x))

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.smooth_l1_loss(self(x), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1077)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'zero',
    'cause': 'Tensor.abs',
    'line_marker': '# <-- CAUSE',
    'params': ['gamma', 'branch.*'],
    'metric_like': None,
    'source': 'own',
    'notes': 'The zero-initialised gate of a residual branch is used by its absolute value, whose derivative at zero is zero.',
}
