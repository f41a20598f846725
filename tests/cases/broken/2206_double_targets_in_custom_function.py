# SPDX-License-Identifier: Apache-2.0
"""A custom Function returns a gradient of another length than its input has."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Pad(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return F.pad(x, (1, 1))

    @staticmethod
    def backward(ctx, grad):
        return grad[:, 1:]  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc, self.cls = nn.Linear(6, 5), nn.Linear(7, 4)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.cls(Pad.apply(self.enc(x))), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2206)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'symptom': 'backward_error', 'cause': 'Function', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'own', 'notes': 'A custom Function returns a gradient of another length than its input has.', 'error': 'returned an invalid gradient'}
