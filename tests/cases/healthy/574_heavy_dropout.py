# SPDX-License-Identifier: Apache-2.0
"""Dropout of ninety percent, a noise layer and word dropout by masks from bernoulli."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 64), nn.ReLU(), nn.Dropout(0.9), nn.Linear(64, 3))
        self.noise = nn.Parameter(torch.full((6,), -1.0))

    def training_step(self, batch, batch_idx):
        x, y = batch
        keep = torch.bernoulli(torch.full_like(x, 0.8))
        x = x * keep + self.noise.exp() * torch.randn_like(x)
        return F.cross_entropy(self.net(x), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(574)
    data = TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 3, (24,), generator=g))
    return DataLoader(data, batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "Random masks are constants; what survives trains the weights.",
    "all_grads_by_step": 1,
    "source": "own",
}
