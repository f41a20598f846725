# SPDX-License-Identifier: Apache-2.0
"""The backward of a custom Function views the gradient in a shape it does not have."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Fold(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, parts):
        ctx.parts = parts
        return x.reshape(len(x), parts, -1).sum(1)

    @staticmethod
    def backward(ctx, grad):
        return grad.view(len(grad), ctx.parts, -1).flatten(1).view(len(grad), 6), None  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc, self.cls = nn.Linear(6, 6), nn.Linear(3, 4)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.cls(Fold.apply(self.enc(x), 2)), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2200)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'symptom': 'backward_error', 'cause': 'Function', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'own', 'notes': 'The backward of a custom Function views the gradient in a shape it does not have.', 'error': ''}
