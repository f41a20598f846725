# SPDX-License-Identifier: Apache-2.0
"""A hand-written quantiser whose backward returns zeros instead of the gradient."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class TernaryQuant(torch.autograd.Function):
    @staticmethod
    def forward(ctx, w, delta):
        ctx.save_for_backward(w)
        out = torch.zeros_like(w)
        out[w > delta] = 1.0
        out[w < -delta] = -1.0
        return out

    @staticmethod
    def backward(ctx, grad_out):
        (w,) = ctx.saved_tensors
        return torch.zeros_like(w), None  # <-- ALSO


class TernaryLinear(nn.Linear):
    def forward(self, x):
        w = TernaryQuant.apply(self.weight, 0.05)  # <-- CAUSE
        return F.linear(x, w, self.bias)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(TernaryLinear(6, 12), nn.ReLU(), TernaryLinear(12, 3))

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.net(x), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(418)
    x = torch.randn(24, 6, generator=g)
    y = torch.randint(0, 3, (24,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "zero",
    "cause": "TernaryQuant",
    "cause_alt": ["TernaryQuant.apply", "autograd.Function"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": ["net.*.weight"],
    "metric_like": None,
    "source": "own",
    "notes": "The biases still learn.",
}
