# SPDX-License-Identifier: Apache-2.0
"""A custom clipping Function marks its output as non-differentiable."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class HardClip(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, low, high):
        out = x.clamp(low, high)
        ctx.mark_non_differentiable(out)  # <-- CAUSE
        return out

    @staticmethod
    def backward(ctx, grad):
        return grad, None, None


def hard_clip(x, low=-1.0, high=1.0):
    return HardClip.apply(x, low, high)  # <-- ALSO


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.front = nn.Linear(4, 6)
        self.back = nn.Linear(6, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.mse_loss(self.back(hard_clip(self.front(x))), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(391)
    x = torch.randn(12, 4, generator=g)
    return DataLoader(TensorDataset(x, x[:, :1].sin()), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "HardClip",
    "cause_alt": ["mark_non_differentiable", "HardClip.apply", "autograd.Function"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": ["front.*"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
