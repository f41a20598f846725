# SPDX-License-Identifier: Apache-2.0
"""The smoothed loss keeps the graph of the last batch."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 1))
        self._smooth = None

    @property
    def smooth(self):
        return self._smooth

    @smooth.setter
    def smooth(self, value):
        self._smooth = value if self._smooth is None else 0.9 * self._smooth + 0.1 * value  # <-- CAUSE

    def training_step(self, batch, batch_idx):
        x, y = batch
        self.smooth = F.mse_loss(self.net(x), y)  # <-- ALSO
        return self.smooth

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1131)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'backward_error',
    'cause': 'running average',
    'line_marker': '# <-- CAUSE',
    'also_marker': '# <-- ALSO',
    'params': 'all',
    'metric_like': None,
    'source': 'own',
    'notes': 'The smoothed loss keeps the graph of the last batch.',
    'error': 'backward through the graph a second time',
    'onset_step': 2,
}
