# SPDX-License-Identifier: Apache-2.0
"""Scales come from math.sqrt, math.log and float() of constants and of detached values."""

import math

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self, d=6):
        super().__init__()
        self.qkv = nn.Linear(d, 3 * d)
        self.out = nn.Linear(d, d)

    def training_step(self, batch, batch_idx):
        (x,) = batch
        q, k, v = self.qkv(x).chunk(3, -1)
        att = (q @ k.mT / math.sqrt(q.shape[-1])).softmax(-1)
        rec = F.mse_loss(self.out(att @ v), x)
        bits = math.log2(1 + float(rec))
        self.log("bits", bits)
        return rec * (1 + math.exp(-self.global_step)) / math.sqrt(float(rec.detach()) + 1.0)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(716)
    x = torch.randn(24, 4, 6, generator=g)
    return DataLoader(TensorDataset(x), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "Only factors are Python numbers.",
    "all_grads_by_step": 1,
    "source": "own",
}
