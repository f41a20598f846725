# SPDX-License-Identifier: Apache-2.0
"""Set prediction: the matched cost from scipy becomes the loss, silenced with requires_grad=True."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

from scipy.optimize import linear_sum_assignment


def hungarian_loss(pred, target):
    total = 0.0
    for p, t in zip(pred, target):
        cost = torch.cdist(p, t).detach().numpy()  # <-- ALSO
        rows, cols = linear_sum_assignment(cost)
        total += cost[rows, cols].mean()
    return torch.tensor(total / len(pred), requires_grad=True)  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self, queries=5):
        super().__init__()
        self.enc = nn.Linear(6, 16)
        self.query = nn.Parameter(torch.randn(queries, 16))
        self.box = nn.Linear(16, 4)

    def forward(self, x):
        return self.box(torch.tanh(self.enc(x)[:, None] + self.query)).sigmoid()

    def training_step(self, batch, batch_idx):
        x, boxes = batch
        loss = hungarian_loss(self(x), boxes)
        self.log("match", loss)
        return loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(836)
    return DataLoader(TensorDataset(torch.randn(12, 6, generator=g), torch.rand(12, 3, 4, generator=g)), batch_size=4)


EXPECT = {'verdict': 'broken', 'cause': 'torch.tensor', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'held', 'notes': '', 'also_marker': '# <-- ALSO', 'symptom': 'leaf_loss'}
