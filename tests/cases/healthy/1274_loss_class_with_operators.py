# SPDX-License-Identifier: Apache-2.0
"""A class with __add__ and __rmul__ carries tensors and shows numbers."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Loss:
    def __init__(self, value):
        self.value = value

    def __add__(self, other):
        return Loss(self.value + other.value)

    __radd__ = lambda self, other: self if other == 0 else self + other

    def __rmul__(self, factor):
        return Loss(factor * self.value)

    def __repr__(self):
        return f"Loss({self.value.item():.3f})"


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(6, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        p = self.net(x)
        both = sum([Loss(F.mse_loss(p, y)), 0.1 * Loss(p.abs().mean())])
        self.text = repr(both)
        return both.value

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1274)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'A class with __add__ and __rmul__ carries tensors and shows numbers.',
    'all_grads_by_step': 1,
    'source': 'own',
}
