# SPDX-License-Identifier: Apache-2.0
"""A nested LightningModule computes its embedding with grad enabled only outside of training."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Encoder(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 8)

    def forward(self, x):
        with torch.set_grad_enabled(not self.training):  # <-- CAUSE
            return torch.tanh(self.fc(x))  # <-- ALSO


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc = Encoder()
        self.head = nn.Linear(8, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.mse_loss(self.head(self.enc(x)), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1030)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'missing',
    'cause': 'torch.set_grad_enabled',
    'line_marker': '# <-- CAUSE',
    'also_marker': '# <-- ALSO',
    'params': ['enc.*'],
    'metric_like': None,
    'source': 'own',
    'notes': 'A nested LightningModule computes its embedding with grad enabled only outside of training.',
}
