# SPDX-License-Identifier: Apache-2.0
"""Several statements on one line; the prediction is rounded to one decimal."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__(); self.a = nn.Linear(6, 8); self.b = nn.Linear(8, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch; h = self.a(x).tanh()
        p = self.b(h); p = p.round(decimals=1); e = p - y  # <-- CAUSE
        return (e * e).mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1012)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'zero',
    'cause': 'torch.round',
    'line_marker': '# <-- CAUSE',
    'params': 'all',
    'metric_like': None,
    'source': 'own',
    'notes': 'Several statements on one line; the prediction is rounded to one decimal.',
}
