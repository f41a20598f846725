# SPDX-License-Identifier: Apache-2.0
"""Switch layer with capacity and load balancing: an expert sees no token in some batches, overflow tokens pass unchanged."""
import math

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Switch(nn.Module):
    def __init__(self, dim, n):
        super().__init__()
        self.gate = nn.Linear(dim, n)
        self.experts = nn.ModuleList(nn.Linear(dim, dim) for _ in range(n))
        with torch.no_grad():
            self.gate.weight.zero_()
            self.gate.weight[:, 0] = torch.tensor([0.0, 2.0, -2.0])
            self.gate.bias.copy_(torch.tensor([1.5, 0.0, 0.0]))

    def forward(self, x):
        probs = self.gate(x).softmax(-1)
        top, idx = probs.max(-1)
        out = x.clone()
        cap = math.ceil(1.25 * len(x) / len(self.experts))
        for e, expert in enumerate(self.experts):
            where = (idx == e).nonzero().squeeze(-1)[:cap]
            if where.numel() == 0:
                continue
            out[where] = top[where, None] * expert(x[where])
        frac = F.one_hot(idx, len(self.experts)).float().mean(0)
        return out, len(self.experts) * (frac * probs.mean(0)).sum()


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.moe = Switch(4, 3)
        self.head = nn.Linear(4, 2)

    def training_step(self, batch, batch_idx):
        x, y = batch
        h, balance = self.moe(x)
        return F.cross_entropy(self.head(h), y) + 0.01 * balance

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(923)
    x = torch.randn(32, 4, generator=g)
    x[:, 0] = 0.1
    x[8:10, 0] = 3.0
    x[16:19, 0] = -3.0
    return DataLoader(TensorDataset(x, torch.randint(0, 2, (32,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': 'Switch layer with capacity and load balancing: an expert sees no token in some batches, overflow tokens pass unchanged.', 'all_grads_by_step': 3, 'source': 'held', 'steps': 4, 'late': {'moe.experts.1.*': 2, 'moe.experts.2.*': 3}}
