# SPDX-License-Identifier: Apache-2.0
"""Spiking network: a hard threshold forward, a smooth surrogate backward, membrane reset by a detached spike."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Spike(torch.autograd.Function):
    @staticmethod
    def forward(ctx, v):
        ctx.save_for_backward(v)
        return (v > 0).to(v.dtype)

    @staticmethod
    def backward(ctx, grad):
        (v,) = ctx.saved_tensors
        return grad / (1 + 4 * v.abs()) ** 2


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(6, 16), nn.Linear(16, 3)
        self.decay = nn.Parameter(torch.tensor(0.5))

    def training_step(self, batch, batch_idx):
        x, y = batch
        volt = torch.zeros(len(x), 16)
        out = torch.zeros(len(x), 3)
        for _ in range(5):
            volt = self.decay.clamp(0, 1) * volt + self.a(x)
            spike = Spike.apply(volt - 0.5)
            volt = volt - 0.5 * spike.detach()
            out = out + self.b(spike)
        return F.cross_entropy(out, y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(598)
    data = TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 3, (24,), generator=g))
    return DataLoader(data, batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "The comparison inside the Function is replaced by the surrogate in backward.",
    "all_grads_by_step": 1,
    "source": "own",
}
