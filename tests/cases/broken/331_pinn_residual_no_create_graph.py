# SPDX-License-Identifier: Apache-2.0
"""A physics residual built from autograd.grad without create_graph."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Field(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(1, 16), nn.Tanh(), nn.Linear(16, 1))

    def forward(self, t):
        return self.layers(t)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.u = Field()

    def derivative(self, t):
        t = t.requires_grad_()
        u = self.u(t)
        (du,) = torch.autograd.grad(u, t, grad_outputs=torch.ones_like(u))  # <-- CAUSE
        return du

    def training_step(self, batch, batch_idx):
        (t,) = batch
        residual = self.derivative(t) - torch.cos(t.detach())
        return residual.pow(2).mean()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(331)
    return DataLoader(TensorDataset(torch.randn(20, 1, generator=g)), batch_size=5)


EXPECT = {
    "verdict": "broken",
    "symptom": "no_grad_loss",
    "cause": "torch.autograd.grad",
    "cause_alt": ["autograd.grad"],
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": None,
    "source": "own",
    "notes": "create_graph=True is missing.",
}
