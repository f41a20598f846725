# SPDX-License-Identifier: Apache-2.0
"""The forward pass is a chain of generators that hand chunks on."""

import functools
import operator

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def produce(x, size):
    yield from x.split(size)


def through(module, chunks):
    for chunk in chunks:
        yield module(chunk)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.stages = nn.ModuleList([nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1)])

    def training_step(self, batch, batch_idx):
        x, y = batch
        flow = produce(x, 3)
        for stage in self.stages:
            flow = through(stage, flow)
        out = torch.cat([*flow])[:, 0]
        return functools.reduce(operator.add, ((a - b) ** 2 for a, b in zip(out, y, strict=True))) / len(y)

    def configure_optimizers(self):
        return torch.optim.RMSprop(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(703)
    x = torch.randn(24, 4, generator=g)
    return DataLoader(TensorDataset(x, torch.randn(24, generator=g)), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "Lazy evaluation does not change the graph.",
    "all_grads_by_step": 1,
    "source": "own",
}
