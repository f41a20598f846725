# SPDX-License-Identifier: Apache-2.0
"""A custom Function scales its input in place after another operation has saved it."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Scale(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, by):
        ctx.by = by
        ctx.mark_dirty(x)
        return x.mul_(by)  # <-- ALSO

    @staticmethod
    def backward(ctx, grad):
        return grad * ctx.by, None


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc, self.cls = nn.Linear(6, 5), nn.Linear(5, 4)

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = torch.sigmoid(self.enc(x))
        h = Scale.apply(h, 2.0)  # <-- CAUSE
        return F.cross_entropy(self.cls(h), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2207)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'symptom': 'backward_error', 'cause': 'inplace', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'own', 'notes': 'A custom Function scales its input in place after another operation has saved it.', 'also_marker': '# <-- ALSO', 'error': 'modified by an inplace operation'}
