# SPDX-License-Identifier: Apache-2.0
"""An in-place leaky relu has a negative slope, whose backward torch refuses."""
import functools
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(6, 8), nn.Linear(8, 4)
        self.act = functools.partial(F.leaky_relu, negative_slope=-0.2, inplace=True)

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = self.act(self.a(x))  # <-- CAUSE
        return F.cross_entropy(self.b(h), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2039)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'symptom': 'backward_error', 'cause': 'leaky_relu', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'own', 'notes': 'An in-place leaky relu has a negative slope, whose backward torch refuses.', 'error': 'negative slope'}
