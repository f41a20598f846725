# SPDX-License-Identifier: Apache-2.0
"""A lower bound with constants: a log normaliser of the data and the entropy of fixed targets."""

import math

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(4, 8)

    def training_step(self, batch, batch_idx):
        (x,) = batch
        mu, logvar = self.net(x).chunk(2, 1)
        gauss = 0.5 * ((x - mu) ** 2 * torch.exp(-logvar) + logvar).sum(1)
        const = 0.5 * x.shape[1] * math.log(2 * math.pi)
        floor = x.std().log()
        prior = torch.distributions.Normal(0.0, 1.0).entropy()
        return (gauss + const).mean() - floor + prior

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.02, momentum=0.9)


def dataloader():
    g = torch.Generator().manual_seed(774)
    x = torch.randn(24, 4, generator=g)
    return DataLoader(TensorDataset(x), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "Constants that never depended on a parameter are part of the formula.",
    "all_grads_by_step": 1,
    "source": "own",
}
