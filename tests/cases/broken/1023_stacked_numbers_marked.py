# SPDX-License-Identifier: Apache-2.0
"""Losses of two heads are packed with torch.tensor(..., requires_grad=True)."""
from functools import reduce
import operator
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.heads = nn.ModuleList(nn.Linear(6, 1) for _ in range(2))

    def training_step(self, batch, batch_idx):
        x, y = batch
        losses = [F.huber_loss(head(x), y) for head in self.heads]
        packed = torch.tensor(losses, requires_grad=True)  # <-- CAUSE
        return reduce(operator.add, packed.unbind()) / len(packed)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1023)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'leaf_loss',
    'cause': 'torch.tensor',
    'line_marker': '# <-- CAUSE',
    'params': 'all',
    'metric_like': None,
    'source': 'own',
    'notes': 'Losses of two heads are packed with torch.tensor(..., requires_grad=True).',
}
