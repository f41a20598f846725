# SPDX-License-Identifier: Apache-2.0
"""A custom autograd Function returns None in the slot of its weight."""

import pytorch_lightning as pl
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset


class ScaleShift(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, bias):
        ctx.save_for_backward(x, weight)
        return x * weight + bias

    @staticmethod
    def backward(ctx, grad):
        _, weight = ctx.saved_tensors
        return grad * weight, None, grad.sum(0)  # <-- CAUSE


class Affine(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(d))
        self.bias = nn.Parameter(torch.zeros(d))

    def forward(self, x):
        return ScaleShift.apply(x, self.weight, self.bias)  # <-- ALSO


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 6), Affine(6), nn.ReLU(), nn.Linear(6, 2))

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.mse_loss(self.net(x), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(364)
    x = torch.randn(12, 4, generator=g)
    return DataLoader(TensorDataset(x, x[:, :2].sin()), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "ScaleShift",
    "cause_alt": ["ScaleShift.backward", "ScaleShiftBackward", "autograd.Function"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": ["net.1.weight"],
    "metric_like": None,
    "source": "own",
    "notes": "The walk over grad_fn sees the weight as reachable.",
}
