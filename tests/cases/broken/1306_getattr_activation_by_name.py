# SPDX-License-Identifier: Apache-2.0
"""The activation is looked up in torch by a name from the configuration: sign."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self, act="sign"):
        super().__init__()
        self.a, self.b = nn.Linear(6, 8), nn.Linear(8, 1)
        self.act = act

    def forward(self, x):
        return self.b(getattr(torch, self.act)(self.a(x)))  # <-- CAUSE

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.mse_loss(self(x), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1306)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'zero',
    'cause': 'torch.sign',
    'line_marker': '# <-- CAUSE',
    'params': ['a.*'],
    'metric_like': None,
    'source': 'own',
    'notes': 'The activation is looked up in torch by a name from the configuration: sign.',
}
