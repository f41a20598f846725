# SPDX-License-Identifier: Apache-2.0
"""Session recommender: mean over an empty history is guarded by where, yet 0/0 still reaches backward."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Model(pl.LightningModule):
    def __init__(self, items=20, dim=6):
        super().__init__()
        self.item = nn.Embedding(items + 1, dim, padding_idx=0)
        self.gate = nn.Linear(dim, 1)
        self.default = nn.Parameter(torch.randn(dim))

    def user(self, hist):
        e = self.item(hist)
        w = self.gate(e).sigmoid().squeeze(-1) * (hist > 0)
        mean = (w[..., None] * e).sum(1) / w.sum(1, keepdim=True)  # <-- CAUSE
        return torch.where((hist > 0).any(1, keepdim=True), mean, self.default)

    def training_step(self, batch, batch_idx):
        hist, nxt = batch
        return F.cross_entropy(self.user(hist) @ self.item.weight[1:].t(), nxt)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(854)
    h = torch.randint(1, 21, (18, 4), generator=g)
    h[1] = 0
    h[7] = 0
    h[14] = 0
    return DataLoader(TensorDataset(h, torch.randint(0, 20, (18,), generator=g)), batch_size=6)


EXPECT = {'verdict': 'broken', 'cause': 'div', 'line_marker': '# <-- CAUSE', 'params': ['gate.*'], 'metric_like': None, 'source': 'held', 'notes': '', 'symptom': 'nonfinite', 'loss_finite': True}
