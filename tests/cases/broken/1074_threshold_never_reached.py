# SPDX-License-Identifier: Apache-2.0
"""A gate in (0, 1) is thresholded at one: it is the constant for ever."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.gate = nn.Linear(6, 8)
        self.net = nn.Linear(6, 8)
        self.out = nn.Linear(8, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        g = F.threshold(self.gate(x).sigmoid(), 1.0, 0.5)  # <-- CAUSE
        return F.mse_loss(self.out(g * self.net(x)), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1074)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'zero',
    'cause': 'F.threshold',
    'line_marker': '# <-- CAUSE',
    'params': ['gate.*'],
    'metric_like': None,
    'source': 'own',
    'notes': 'A gate in (0, 1) is thresholded at one: it is the constant for ever.',
}
