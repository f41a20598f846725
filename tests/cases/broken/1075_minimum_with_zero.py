# SPDX-License-Identifier: Apache-2.0
"""minimum instead of maximum: a positive distance against zero is the constant zero."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Margin(nn.Module):
    def __init__(self, margin=0.0):
        super().__init__()
        self.margin = margin

    def forward(self, d):
        return torch.minimum(d, d.new_tensor(self.margin)).mean()  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(6, 1)
        self.margin = Margin()

    def training_step(self, batch, batch_idx):
        x, y = batch
        d = F.softplus(self.net(x) - y)
        return self.margin(d)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1075)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'zero',
    'cause': 'torch.minimum',
    'line_marker': '# <-- CAUSE',
    'params': 'all',
    'metric_like': None,
    'source': 'own',
    'notes': 'minimum instead of maximum: a positive distance against zero is the constant zero.',
}
