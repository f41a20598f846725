# SPDX-License-Identifier: Apache-2.0
"""Learned ordering of a set: tokens are permuted with argsort of the scores, the scorer gets nothing."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Sorter(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.score = nn.Sequential(nn.Linear(dim, 8), nn.Tanh(), nn.Linear(8, 1))

    def forward(self, x):
        order = self.score(x).squeeze(-1).argsort(dim=1, descending=True)  # <-- CAUSE
        return torch.gather(x, 1, order.unsqueeze(-1).expand_as(x))


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(3, 6)
        self.sorter = Sorter(6)
        self.rnn = nn.LSTM(6, 8, batch_first=True)
        self.out = nn.Linear(8, 2)

    def training_step(self, batch, batch_idx):
        x, y = batch
        seq = self.sorter(self.embed(x))
        _, (h, _) = self.rnn(seq)
        return F.cross_entropy(self.out(h[-1]), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(832)
    return DataLoader(TensorDataset(torch.randn(24, 5, 3, generator=g), torch.randint(0, 2, (24,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'cause': 'Tensor.argsort', 'line_marker': '# <-- CAUSE', 'params': ['sorter.score.*'], 'metric_like': None, 'source': 'held', 'notes': '', 'symptom': 'missing'}
