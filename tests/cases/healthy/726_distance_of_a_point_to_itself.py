# SPDX-License-Identifier: Apache-2.0
"""cdist of a batch with itself, norm and pdist of equal rows."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.f = nn.Linear(4, 3)

    def training_step(self, batch, batch_idx):
        x, y = batch
        z = torch.cat([self.f(x), self.f(x[:2])])
        d = torch.cdist(z, z)
        same = (z - z.roll(1, 0) * 0 - z).norm(dim=1)
        return (d.mean() - 1) ** 2 + F.pdist(z).mean() * 0.1 + same.sum() + F.normalize(z * 1.0, dim=1)[:, 0].mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(726)
    x = torch.randn(24, 4, generator=g)
    return DataLoader(TensorDataset(x, torch.randn(24, generator=g)), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "torch defines these derivatives as zero at distance zero.",
    "all_grads_by_step": 1,
    "source": "own",
}
