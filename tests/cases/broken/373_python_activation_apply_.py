# SPDX-License-Identifier: Apache-2.0
"""A scalar activation written in Python is mapped with apply_, which needs a detached tensor."""

import math

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def snake(v, a=1.0):
    return v + math.sin(a * v) ** 2 / a


class PythonActivation(nn.Module):
    def __init__(self, fn):
        super().__init__()
        self.fn = fn

    def extra_repr(self):
        return self.fn.__name__

    def forward(self, x):
        return x.detach().clone().apply_(self.fn)  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        act = PythonActivation(snake)
        self.inner = nn.Sequential(nn.Linear(4, 6), act)
        self.outer = nn.Linear(6, 2)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.mse_loss(self.outer(self.inner(x)), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(373)
    x = torch.randn(12, 4, generator=g)
    return DataLoader(TensorDataset(x, x[:, :2].sin()), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "Tensor.detach",
    "cause_alt": ["Tensor.apply_"],
    "line_marker": "# <-- CAUSE",
    "params": ["inner.*"],
    "metric_like": None,
    "source": "own",
    "notes": "apply_ itself refuses tensors that require grad.",
}
