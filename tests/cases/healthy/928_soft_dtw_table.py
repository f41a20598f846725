# SPDX-License-Identifier: Apache-2.0
"""Soft-DTW with a table that is filled cell by cell in place."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

def soft_dtw(cost, gamma=0.5):
    n, m = cost.shape
    r = torch.full((n + 1, m + 1), 1e6)
    r[0, 0] = 0.0
    for i in range(1, n + 1):
        for j in range(1, m + 1):
            prev = torch.stack([r[i - 1, j], r[i, j - 1], r[i - 1, j - 1]])
            r[i, j] = cost[i - 1, j - 1] - gamma * torch.logsumexp(-prev / gamma, 0)
    return r[n, m]


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc = nn.Linear(3, 8)
        self.out = nn.Linear(8, 5)

    def training_step(self, batch, batch_idx):
        x, y = batch
        pred = self.out(self.enc(x).tanh())
        return torch.stack([soft_dtw((p[:, None] - t[None]) ** 2) for p, t in zip(pred, y)]).mean()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(928)
    return DataLoader(TensorDataset(torch.randn(8, 3, generator=g), torch.randn(8, 4, generator=g)), batch_size=4)


EXPECT = {'verdict': 'healthy', 'why': 'Soft-DTW with a table that is filled cell by cell in place.', 'all_grads_by_step': 1, 'source': 'held', 'steps': 2}
