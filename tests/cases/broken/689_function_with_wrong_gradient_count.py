# SPDX-License-Identifier: Apache-2.0
"""backward() of a custom Function returns one gradient too few."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class ScaledTanh(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, scale, shift):
        out = torch.tanh(x)
        ctx.save_for_backward(out, scale)
        return out * scale + shift

    @staticmethod
    def backward(ctx, grad):
        out, scale = ctx.saved_tensors
        return grad * scale * (1 - out * out), (grad * out).sum(0)  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.lin = nn.Linear(4, 3)
        self.scale, self.shift = nn.Parameter(torch.ones(3)), nn.Parameter(torch.zeros(3))

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(ScaledTanh.apply(self.lin(x), self.scale, self.shift), y)  # <-- ALSO

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.02, momentum=0.9)


def dataloader():
    g = torch.Generator().manual_seed(689)
    x = torch.randn(24, 4, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 3, (24,), generator=g)), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "backward_error",
    "cause": "ScaledTanh",
    "cause_alt": ["ScaledTanhBackward", "autograd.Function", "ScaledTanh.backward"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": None,
    "error": "returned an incorrect number of gradients",
    "source": "own",
    "notes": "",
}
