# SPDX-License-Identifier: Apache-2.0
"""Fairness: the demographic parity term compares rates of hard decisions and has no gradient."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

def parity_gap(prob, group):
    decided = (prob >= 0.5).float()  # <-- CAUSE
    return (decided[group == 0].mean() - decided[group == 1].mean()).abs()


class Model(pl.LightningModule):
    def __init__(self, lam=2.0):
        super().__init__()
        self.lam = lam
        self.net = nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Linear(16, 1))

    def training_step(self, batch, batch_idx):
        x, y, group = batch
        prob = self.net(x).squeeze(-1).sigmoid()
        task = F.binary_cross_entropy(prob, y)
        gap = parity_gap(prob, group)
        self.log("task", task)
        self.log("parity", gap)
        return task + self.lam * gap

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(829)
    return DataLoader(TensorDataset(torch.randn(48, 5, generator=g), torch.rand(48, generator=g).round(), torch.randint(0, 2, (48,), generator=g)), batch_size=16)


EXPECT = {'verdict': 'broken', 'cause': 'Tensor.ge', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'held', 'notes': '', 'symptom': 'dead_term', 'term': 'parity'}
