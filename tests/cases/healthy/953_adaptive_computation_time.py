# SPDX-License-Identifier: Apache-2.0
"""Adaptive computation time: a while loop on the halting probability, remainders carry the gradient."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.cell, self.halt, self.out = nn.GRUCell(4, 8), nn.Linear(8, 1), nn.Linear(8, 3)

    def forward(self, x):
        h = x.new_zeros(len(x), 8)
        total, steps, acc, rem = x.new_zeros(len(x)), x.new_zeros(len(x)), 0.0, x.new_zeros(len(x))
        while bool((total < 0.99).any()) and steps.max() < 6:
            h = self.cell(x, h)
            p = self.halt(h).sigmoid().squeeze(-1)
            running = (total < 0.99).float()
            last = ((total + p) >= 0.99).float() * running
            w = running * (last * (1 - total) + (1 - last) * p)
            rem = rem + last * (1 - total)
            total, steps = total + w, steps + running
            acc = acc + w[:, None] * h
        return self.out(acc), (rem + steps).mean()

    def training_step(self, batch, batch_idx):
        x, y = batch
        logits, ponder = self(x)
        return F.cross_entropy(logits, y) + 0.01 * ponder

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(953)
    return DataLoader(TensorDataset(torch.randn(24, 4, generator=g), torch.randint(0, 3, (24,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': 'Adaptive computation time: a while loop on the halting probability, remainders carry the gradient.', 'all_grads_by_step': 1, 'source': 'held'}
