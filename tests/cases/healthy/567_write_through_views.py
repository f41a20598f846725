# SPDX-License-Identifier: Apache-2.0
"""A canvas is filled through select, narrow, a flat view and the diagonal."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.row, self.block = nn.Linear(6, 6), nn.Linear(6, 12)
        self.diag, self.flat = nn.Linear(6, 4), nn.Linear(6, 2)
        self.head = nn.Linear(24, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        canvas = torch.zeros(len(x), 4, 6)
        canvas.select(1, 0).copy_(self.row(x))
        canvas.narrow(1, 1, 2).copy_(self.block(x).view(-1, 2, 6))
        canvas.diagonal(dim1=1, dim2=2).add_(self.diag(x))
        canvas.view(len(x), -1)[:, -2:] = self.flat(x)
        return F.mse_loss(self.head(torch.sigmoid(canvas.flatten(1))).squeeze(1), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(567)
    data = TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, generator=g))
    return DataLoader(data, batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "A write through a view is a write into the base, gradients included.",
    "all_grads_by_step": 1,
    "source": "own",
}
