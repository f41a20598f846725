# SPDX-License-Identifier: Apache-2.0
"""Trilinear lookup: corner indices by floor, weights from the remainder."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self, n=5):
        super().__init__()
        self.n = n
        self.grid = nn.Parameter(torch.randn(n, n))
        self.shift = nn.Parameter(torch.full((2,), 0.1))

    def look(self, p):
        p = p.clamp(0.01, 0.98) * (self.n - 1)
        low = p.floor().long()
        w = p - low
        (i, j), (u, v) = low.unbind(-1), w.unbind(-1)
        g = self.grid
        return (1 - u) * ((1 - v) * g[i, j] + v * g[i, j + 1]) + u * ((1 - v) * g[i + 1, j] + v * g[i + 1, j + 1])

    def training_step(self, batch, batch_idx):
        (p,) = batch
        return F.mse_loss(self.look(p + self.shift), p.sum(1))

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def dataloader():
    g = torch.Generator().manual_seed(737)
    x = torch.rand(24, 2, generator=g)
    return DataLoader(TensorDataset(x), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "The integer corners are constants, the weights carry the gradient to the pose.",
    "all_grads_by_step": 1,
    "source": "own",
}
