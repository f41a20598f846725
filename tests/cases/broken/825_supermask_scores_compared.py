# SPDX-License-Identifier: Apache-2.0
"""Pruning: learned scores over a frozen weight, hard mask by kthvalue comparison without straight-through."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class MaskedLinear(nn.Linear):
    def __init__(self, n_in, n_out, keep=0.5):
        super().__init__(n_in, n_out, bias=False)
        self.weight.requires_grad_(False)
        self.scores = nn.Parameter(torch.rand(n_out, n_in))
        self.keep = keep

    def forward(self, x):
        k = int((1 - self.keep) * self.scores.numel())
        cut = self.scores.flatten().kthvalue(k).values
        mask = torch.ge(self.scores, cut).to(x.dtype)  # <-- CAUSE
        return F.linear(x, self.weight * mask)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.l1 = MaskedLinear(6, 16)
        self.l2 = MaskedLinear(16, 16)
        self.head = nn.Linear(16, 3)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.head(self.l2(self.l1(x).relu()).relu()), y)

    def configure_optimizers(self):
        return torch.optim.SGD([p for p in self.parameters() if p.requires_grad], lr=0.1)


def dataloader():
    g = torch.Generator().manual_seed(825)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 3, (24,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'cause': 'torch.ge', 'line_marker': '# <-- CAUSE', 'params': ['l?.scores'], 'metric_like': None, 'source': 'held', 'notes': '', 'symptom': 'missing', 'quiet': ['l?.weight']}
