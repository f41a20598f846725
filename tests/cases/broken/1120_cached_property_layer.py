# SPDX-License-Identifier: Apache-2.0
"""functools.cached_property writes the layer straight into the instance dict."""
from functools import cached_property
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.out = nn.Linear(6, 1)

    @cached_property
    def adapter(self):
        return nn.Linear(6, 6)  # <-- CAUSE

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.mse_loss(self.out(self.adapter(x).relu()), y)  # <-- ALSO

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1120)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'not_registered',
    'cause': 'cached_property',
    'line_marker': '# <-- CAUSE',
    'also_marker': '# <-- ALSO',
    'params': ['adapter.*'],
    'metric_like': None,
    'source': 'own',
    'notes': 'functools.cached_property writes the layer straight into the instance dict.',
}
