# SPDX-License-Identifier: Apache-2.0
"""A parametrization rounds the weight to a grid without a straight-through estimator."""
from torch.nn.utils import parametrize
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Grid(nn.Module):
    def __init__(self, step):
        super().__init__()
        self.step = step

    def forward(self, w):
        return torch.round(w / self.step) * self.step  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 8)
        parametrize.register_parametrization(self.fc, "weight", Grid(0.125))
        self.out = nn.Linear(8, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.mse_loss(self.out(torch.relu(self.fc(x))), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1035)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'zero',
    'cause': 'torch.round',
    'line_marker': '# <-- CAUSE',
    'params': ['fc.parametrizations.weight.original'],
    'metric_like': None,
    'source': 'own',
    'notes': 'A parametrization rounds the weight to a grid without a straight-through estimator.',
}
