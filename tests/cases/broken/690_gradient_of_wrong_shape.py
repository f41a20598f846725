# SPDX-License-Identifier: Apache-2.0
"""A custom Function returns the gradient of its weight with the batch dimension still in it."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class PerChannel(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w):
        ctx.save_for_backward(x, w)
        return torch.einsum("bcl,c->bcl", x, w)

    @staticmethod
    def backward(ctx, grad):
        x, w = ctx.saved_tensors
        return grad * w[:, None], (grad * x).sum((0, 2), keepdim=True).expand(len(x), -1, 2)  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(1, 3, 3)
        self.w = nn.Parameter(torch.ones(3))

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = PerChannel.apply(self.conv(x), self.w)  # <-- ALSO
        return F.mse_loss(h.mean((1, 2)), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(690)
    x = torch.randn(24, 1, 6, generator=g)
    return DataLoader(TensorDataset(x, torch.randn(24, generator=g)), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "backward_error",
    "cause": "PerChannel",
    "cause_alt": ["PerChannelBackward", "autograd.Function", "PerChannel.backward"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": None,
    "error": "returned an invalid gradient",
    "source": "own",
    "notes": "",
}
