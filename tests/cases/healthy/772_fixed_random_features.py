# SPDX-License-Identifier: Apache-2.0
"""Positional table as a parameter that never requires grad, random features as a buffer."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.pos = nn.Parameter(torch.randn(5, 6), requires_grad=False)
        self.register_buffer("proj", torch.randn(6, 10))
        self.emb, self.out = nn.Embedding(12, 6), nn.Linear(20, 3)

    def training_step(self, batch, batch_idx):
        x, y = batch
        z = (self.emb(x) + self.pos) @ self.proj
        return F.cross_entropy(self.out(torch.cat([z.sin(), z.cos()], -1).mean(1)), y)

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def dataloader():
    g = torch.Generator().manual_seed(772)
    x = torch.randint(1, 12, (24, 5), generator=g)
    y = torch.randint(0, 3, (24,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "They are constants by declaration; the optimizer is given all parameters.",
    "all_grads_by_step": 1,
    "source": "own",
}
