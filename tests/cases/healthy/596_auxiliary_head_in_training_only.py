# SPDX-License-Identifier: Apache-2.0
"""Auxiliary classifier that exists for training; validation leaves it out and runs a metric on class indices."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.stem, self.body = nn.Linear(6, 10), nn.Linear(10, 10)
        self.head, self.aux = nn.Linear(10, 3), nn.Linear(10, 3)

    def forward(self, x):
        h = torch.relu(self.stem(x))
        out = self.head(torch.relu(self.body(h)))
        return (out, self.aux(h)) if self.training else out

    def training_step(self, batch, batch_idx):
        x, y = batch
        out, aux = self(x)
        return F.cross_entropy(out, y) + 0.3 * F.cross_entropy(aux, y)

    def validation_step(self, batch, batch_idx):
        x, y = batch
        self.log("acc", (self(x).argmax(1) == y).float().mean())

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(596)
    data = TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 3, (24,), generator=g))
    return DataLoader(data, batch_size=8)


def val_dataloader():
    g = torch.Generator().manual_seed(597)
    data = TensorDataset(torch.randn(8, 6, generator=g), torch.randint(0, 3, (8,), generator=g))
    return DataLoader(data, batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "What validation does not use is no matter for training.",
    "steps": 6, "all_grads_by_step": 1,
    "source": "own",
}
