# SPDX-License-Identifier: Apache-2.0
"""Tabular: neural decision tree whose splits are compared with zero; only the leaves learn."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Tree(nn.Module):
    def __init__(self, n_in, depth, n_out):
        super().__init__()
        self.split = nn.Linear(n_in, depth)
        self.leaves = nn.Parameter(torch.randn(2**depth, n_out))
        self.register_buffer("powers", 2 ** torch.arange(depth))

    def forward(self, x):
        bits = self.split(x).gt(0).long()  # <-- CAUSE
        return self.leaves[(bits * self.powers).sum(-1)]


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(6, 3)
        self.trees = nn.ModuleList(Tree(7, 3, 2) for _ in range(2))
        self.bias = nn.Linear(3, 2)

    def training_step(self, batch, batch_idx):
        num, cat, y = batch
        e = self.emb(cat)
        x = torch.cat([num, e], 1)
        return F.cross_entropy(sum(t(x) for t in self.trees) + self.bias(e), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(831)
    return DataLoader(TensorDataset(torch.randn(48, 4, generator=g), torch.randint(0, 6, (48,), generator=g), torch.randint(0, 2, (48,), generator=g)), batch_size=16)


EXPECT = {'verdict': 'broken', 'cause': 'Tensor.gt', 'line_marker': '# <-- CAUSE', 'params': ['trees.*.split.*'], 'metric_like': None, 'source': 'held', 'notes': '', 'symptom': 'missing'}
