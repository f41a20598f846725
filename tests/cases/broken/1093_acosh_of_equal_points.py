# SPDX-License-Identifier: Apache-2.0
"""The hyperbolic distance of a token to itself: acosh at one."""
from functools import partial
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


def distance(u, v, eps=1e-5):
    gap = (u - v).square().sum(-1)
    room = (1 - u.square().sum(-1)).clamp_min(eps) * (1 - v.square().sum(-1)).clamp_min(eps)
    return torch.acosh(1 + 2 * gap / room)  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(12, 3)
        nn.init.uniform_(self.emb.weight, -0.3, 0.3)
        self.distance = partial(distance, eps=1e-4)

    def training_step(self, batch, batch_idx):
        x, y = batch
        e = self.emb(x)
        return self.distance(e[:, :1], e).mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1093)
    return DataLoader(TensorDataset(torch.randint(0, 12, (24, 7), generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'nonfinite',
    'cause': 'torch.acosh',
    'line_marker': '# <-- CAUSE',
    'params': ['emb.*'],
    'metric_like': None,
    'source': 'own',
    'notes': 'The hyperbolic distance of a token to itself: acosh at one.',
    'loss_finite': True,
}
