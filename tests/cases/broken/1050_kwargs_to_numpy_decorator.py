# SPDX-License-Identifier: Apache-2.0
"""A decorator forwards *args and **kwargs as arrays, also the learned scale."""
from functools import wraps
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


def with_arrays(fn):
    @wraps(fn)
    def call(*args, **kwargs):
        kwargs = {k: v.detach().cpu().numpy() for k, v in kwargs.items()}  # <-- CAUSE
        return fn(*args, **kwargs)
    return call


@with_arrays
def stretch(h, *, scale):
    return h * torch.from_numpy(scale)  # <-- ALSO


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(6, 8)
        self.scale = nn.Parameter(torch.ones(8))
        self.out = nn.Linear(8, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.mse_loss(self.out(stretch(self.net(x), scale=self.scale)), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1050)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'missing',
    'cause': 'Tensor.numpy',
    'line_marker': '# <-- CAUSE',
    'also_marker': '# <-- ALSO',
    'params': ['scale'],
    'metric_like': None,
    'source': 'own',
    'notes': 'A decorator forwards *args and **kwargs as arrays, also the learned scale.',
}
