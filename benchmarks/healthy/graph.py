# SPDX-License-Identifier: Apache-2.0
"""Two rounds of messages on a small graph, edge weights learned from both ends."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn

EDGES = torch.tensor([[0, 1, 2, 3, 4, 5, 0, 2], [1, 2, 3, 4, 5, 0, 3, 5]])


class Round(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.message = nn.Linear(2 * width, width)
        self.weight = nn.Linear(2 * width, 1)
        self.update = nn.Linear(2 * width, width)

    def forward(self, h):
        ends = torch.cat([h[EDGES[0]], h[EDGES[1]]], 1)
        message = torch.tanh(self.message(ends))
        weight = torch.sigmoid(self.weight(ends))
        message = message * weight
        total = torch.zeros_like(h).index_add(0, EDGES[1], message)
        h = self.update(torch.cat([h, total], 1))
        return torch.tanh(h)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enter = nn.Linear(4, 6)
        self.first = Round(6)
        self.second = Round(6)
        self.node = nn.Linear(6, 2)
        self.whole = nn.Linear(6, 1)

    def training_step(self, batch, batch_idx):
        x, kinds, size = batch
        h = self.enter(x)
        h = self.first(h)
        h = self.second(h)
        nodes = F.cross_entropy(self.node(h), kinds)
        pooled = h.mean(0)
        guess = self.whole(pooled)
        whole = F.mse_loss(guess, size)
        loss = nodes + 0.5 * whole
        return loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def batch():
    return torch.randn(6, 4), torch.randint(2, (6,)), torch.randn(1)
