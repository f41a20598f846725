# SPDX-License-Identifier: Apache-2.0
"""Tabular model: per-column embeddings live in a plain dataclass, which does not register them."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

from dataclasses import dataclass


@dataclass
class Columns:
    colour: nn.Embedding
    city: nn.Embedding

    def encode(self, cat):
        return torch.cat([self.colour(cat[:, 0]), self.city(cat[:, 1])], 1)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.columns = Columns(nn.Embedding(4, 3), nn.Embedding(7, 3))  # <-- CAUSE
        self.net = nn.Sequential(nn.Linear(10, 16), nn.ReLU(), nn.Linear(16, 2))

    def training_step(self, batch, batch_idx):
        cat, num, y = batch
        return F.cross_entropy(self.net(torch.cat([self.columns.encode(cat), num], 1)), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(841)
    return DataLoader(TensorDataset(torch.randint(0, 4, (24, 2), generator=g), torch.randn(24, 4, generator=g), torch.randint(0, 2, (24,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'cause': 'dataclass', 'line_marker': '# <-- CAUSE', 'params': ['*columns*'], 'metric_like': None, 'source': 'held', 'notes': '', 'symptom': 'not_registered'}
