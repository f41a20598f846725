# SPDX-License-Identifier: Apache-2.0
"""A hook meant to damp the gradient of the shared features multiplies it by zero."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class DampGradient:
    def __init__(self, factor):
        self.factor = factor

    def __call__(self, grad):
        return grad * self.factor  # <-- ALSO


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.shared = nn.Sequential(nn.Linear(5, 9), nn.Tanh())
        self.left = nn.Linear(9, 2)
        self.right = nn.Linear(9, 2)
        self.damp = DampGradient(factor=int(0.1))

    def forward(self, x):
        h = self.shared(x)
        if h.requires_grad:
            h.register_hook(self.damp)  # <-- CAUSE
        return self.left(h), self.right(h)

    def training_step(self, batch, batch_idx):
        x, y = batch
        left, right = self(x)
        return F.cross_entropy(left, y) + F.cross_entropy(right, 1 - y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(419)
    x = torch.randn(12, 5, generator=g)
    y = torch.randint(0, 2, (12,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "zero",
    "cause": "register_hook",
    "cause_alt": ["Tensor.register_hook", "hook", "mul"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": ["shared.*"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
