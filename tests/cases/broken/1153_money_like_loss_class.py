# SPDX-License-Identifier: Apache-2.0
"""A small class with __add__ and __rmul__ stores the number of each term."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Loss:
    def __init__(self, value):
        self.value = value.item() if torch.is_tensor(value) else value  # <-- CAUSE

    def __add__(self, other):
        return Loss(self.value + other.value)

    def __rmul__(self, factor):
        return Loss(factor * self.value)

    def tensor(self):
        return torch.tensor([self.value]).squeeze()  # <-- ALSO


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(6, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        p = self.net(x)
        return (Loss(F.mse_loss(p, y)) + 0.1 * Loss(p.abs().mean())).tensor()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1153)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'no_grad_loss',
    'cause': 'Tensor.item',
    'line_marker': '# <-- CAUSE',
    'also_marker': '# <-- ALSO',
    'params': 'all',
    'metric_like': None,
    'source': 'own',
    'notes': 'A small class with __add__ and __rmul__ stores the number of each term.',
}
