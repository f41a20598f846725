# SPDX-License-Identifier: Apache-2.0
"""Anomaly detection raises for the square root of zero."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


TRAINER = {"detect_anomaly": True}


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc = nn.Linear(6, 4)
        nn.init.zeros_(self.enc.weight), nn.init.zeros_(self.enc.bias)
        self.out = nn.Linear(6, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        energy = self.enc(x).square().sum(1)
        length = torch.sqrt(energy).mean()  # <-- CAUSE
        return F.mse_loss(self.out(x), y) + length

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1305)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'nonfinite',
    'cause': 'torch.sqrt',
    'line_marker': '# <-- CAUSE',
    'params': ['enc.*'],
    'metric_like': None,
    'source': 'own',
    'notes': 'Anomaly detection raises for the square root of zero.',
    'error': 'returned nan values',
}
