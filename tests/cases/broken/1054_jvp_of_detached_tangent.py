# SPDX-License-Identifier: Apache-2.0
"""The direction of a forward derivative is learned, but detached on the way in."""
from torch.func import jvp
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.field = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 1))
        self.direction = nn.Linear(6, 6)

    def training_step(self, batch, batch_idx):
        x, y = batch
        v = self.direction(x).detach()  # <-- CAUSE
        value, slope = jvp(self.field, (x,), (v,))
        return F.mse_loss(value + slope, y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1054)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'missing',
    'cause': 'Tensor.detach',
    'line_marker': '# <-- CAUSE',
    'params': ['direction.*'],
    'metric_like': None,
    'source': 'own',
    'notes': 'The direction of a forward derivative is learned, but detached on the way in.',
}
