# SPDX-License-Identifier: Apache-2.0
"""The outer LightningModule returns the optimizers of the inner one."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Inner(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 8)

    def forward(self, x):
        return self.fc(x).relu()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)  # <-- ALSO


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.inner = Inner()
        self.head = nn.Linear(8, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.mse_loss(self.head(self.inner(x)), y)

    def configure_optimizers(self):
        return self.inner.configure_optimizers()  # <-- CAUSE


def dataloader():
    g = torch.Generator().manual_seed(1110)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'not_optimized',
    'cause': 'optimizer_params',
    'line_marker': '# <-- CAUSE',
    'also_marker': '# <-- ALSO',
    'params': ['head.*'],
    'metric_like': None,
    'source': 'own',
    'notes': 'The outer LightningModule returns the optimizers of the inner one.',
}
