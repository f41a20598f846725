# SPDX-License-Identifier: Apache-2.0
"""Edges below a threshold are removed, the remaining ones keep their learned weight."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.q, self.k, self.v = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 2)

    def training_step(self, batch, batch_idx):
        x, y = batch
        weight = torch.sigmoid(self.q(x) @ self.k(x).mT)
        adj = weight * (weight > 0.4)
        h = adj @ self.v(x) / adj.sum(-1, keepdim=True).clamp(min=1e-3)
        return F.cross_entropy(h.mean(1), y)

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def dataloader():
    g = torch.Generator().manual_seed(757)
    x = torch.randn(12, 6, 4, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 2, (12,), generator=g)), batch_size=4)


EXPECT = {
    "verdict": "healthy",
    "why": "The product with the hard mask leaves a gradient on the kept edges.",
    "all_grads_by_step": 1,
    "source": "own",
}
