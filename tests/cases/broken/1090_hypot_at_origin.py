# SPDX-License-Identifier: Apache-2.0
"""The length of a zero-initialised displacement by hypot has no derivative at the origin."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.flow = nn.Linear(6, 2)
        self.net = nn.Linear(6, 1)
        nn.init.zeros_(self.flow.weight), nn.init.zeros_(self.flow.bias)

    def training_step(self, batch, batch_idx):
        x, y = batch
        dx, dy = self.flow(x).unbind(1)
        smooth = torch.hypot(dx, dy).mean()  # <-- CAUSE
        return F.mse_loss(self.net(x), y) + 0.1 * smooth

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1090)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'nonfinite',
    'cause': 'torch.hypot',
    'line_marker': '# <-- CAUSE',
    'params': ['flow.*'],
    'metric_like': None,
    'source': 'own',
    'notes': 'The length of a zero-initialised displacement by hypot has no derivative at the origin.',
    'loss_finite': True,
}
