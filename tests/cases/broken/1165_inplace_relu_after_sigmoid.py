# SPDX-License-Identifier: Apache-2.0
"""ReLU(inplace=True) behind a sigmoid overwrites what the sigmoid has saved."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        layers = []
        for act in (nn.Sigmoid(), nn.ReLU(inplace=True)):  # <-- CAUSE
            layers.append(act)
        self.net = nn.Sequential(nn.Linear(6, 8), *layers, nn.Linear(8, 1))  # <-- ALSO

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.mse_loss(self.net(x), y)  # <-- ALSO

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1165)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'backward_error',
    'cause': 'F.relu',
    'line_marker': '# <-- CAUSE',
    'also_marker': '# <-- ALSO',
    'params': 'all',
    'metric_like': None,
    'source': 'own',
    'notes': 'ReLU(inplace=True) behind a sigmoid overwrites what the sigmoid has saved.',
    'error': 'modified by an inplace operation',
}
