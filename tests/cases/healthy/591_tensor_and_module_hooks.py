# SPDX-License-Identifier: Apache-2.0
"""Gradients are scaled by a tensor hook, masked by a parameter hook and clipped by a module hook."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(9, 6)
        self.body, self.head = nn.Linear(6, 8), nn.Linear(8, 3)
        keep = torch.ones(9, 1)
        keep[:2] = 0.0
        self.table.weight.register_hook(lambda g: g * keep)
        self.body.register_full_backward_hook(lambda m, gin, gout: tuple(g.clamp(-1, 1) for g in gin))

    def training_step(self, batch, batch_idx):
        tok, y = batch
        h = torch.tanh(self.body(self.table(tok).mean(1)))
        h.register_hook(lambda g: 0.1 * g)
        return F.cross_entropy(self.head(h), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(591)
    x = torch.randint(0, 9, (24, 5), generator=g)
    y = torch.randint(0, 3, (24,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "Two rows are protected by the hook, every parameter as a whole has a gradient.",
    "all_grads_by_step": 1,
    "source": "own",
}
