# SPDX-License-Identifier: Apache-2.0
"""Consistency training: the EMA teacher is updated inside training_step although the loss runs through its weights."""
import copy

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.student = nn.Sequential(nn.Linear(6, 8), nn.ReLU())
        self.head = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3))
        self.ema_head = copy.deepcopy(self.head).requires_grad_(False)

    @torch.no_grad()
    def update_ema(self, m=0.9):
        for t, s in zip(self.ema_head.parameters(), self.head.parameters()):
            t.mul_(m).add_(s, alpha=1 - m)  # <-- CAUSE

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = self.student(x)
        logits = self.head(h)
        ema_logits = self.ema_head(h)  # <-- ALSO
        self.update_ema()
        return F.cross_entropy(logits, y) + F.mse_loss(ema_logits, logits)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(847)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 3, (24,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'cause': 'mul_', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'held', 'notes': '', 'also_marker': '# <-- ALSO', 'symptom': 'backward_error', 'error': 'modified by an inplace operation', 'quiet': ['ema_head.*']}
