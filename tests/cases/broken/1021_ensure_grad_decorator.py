# SPDX-License-Identifier: Apache-2.0
"""A decorator repairs every loss without a graph by switching requires_grad on."""
from functools import wraps
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


def ensure_grad(fn):
    @wraps(fn)
    def inner(*args, **kwargs):
        out = fn(*args, **kwargs)
        return out if out.requires_grad else out.requires_grad_()  # <-- ALSO
    return inner


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(6, 1)

    @ensure_grad
    def training_step(self, batch, batch_idx):
        x, t = batch
        said = self.net(x).sigmoid().ge(0.5).double()  # <-- CAUSE
        return F.l1_loss(said, t.double())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1021)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 2, (24, 1), generator=g).float()), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'leaf_loss',
    'cause': 'torch.ge',
    'line_marker': '# <-- CAUSE',
    'also_marker': '# <-- ALSO',
    'params': 'all',
    'metric_like': 'MultilabelExactMatch',
    'source': 'own',
    'notes': 'A decorator repairs every loss without a graph by switching requires_grad on.',
}
