# SPDX-License-Identifier: Apache-2.0
"""Activations are closures over a registered scale and over a frozen tensor."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


def scaled(scale, offset):
    def act(x):
        return F.relu(x) * scale + offset
    return act


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(6, 8), nn.Linear(8, 4)
        self.scale = nn.Parameter(torch.ones(8))
        self.act = scaled(self.scale, torch.full((8,), 0.1))
        self.score = lambda z, layer=self.b: layer(z)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.score(self.act(self.a(x))), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2330)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': 'Activations are closures over a registered scale and over a frozen tensor.', 'all_grads_by_step': 1, 'source': 'own'}
