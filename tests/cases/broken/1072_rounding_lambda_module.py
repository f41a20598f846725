# SPDX-License-Identifier: Apache-2.0
"""A Lambda layer in a Sequential rounds to two decimals."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Lambda(nn.Module):
    def __init__(self, fn):
        super().__init__()
        self.fn = fn

    def forward(self, *args, **kwargs):
        return self.fn(*args, **kwargs)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(6, 8),
            Lambda(lambda t: t.round(decimals=2)),  # <-- CAUSE
            nn.Linear(8, 1),
        )

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.mse_loss(self.net(x), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1072)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'zero',
    'cause': 'Tensor.round',
    'line_marker': '# <-- CAUSE',
    'params': ['net.0.*'],
    'metric_like': None,
    'source': 'own',
    'notes': 'A Lambda layer in a Sequential rounds to two decimals.',
}
