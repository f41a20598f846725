# SPDX-License-Identifier: Apache-2.0
"""The layer is deep-copied at every refinement step, so the copies receive the gradients."""

import copy

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Refiner(nn.Module):
    def __init__(self, dim, steps):
        super().__init__()
        self.steps = steps
        self.update = nn.Sequential(nn.Linear(dim, dim), nn.Tanh())

    def forward(self, x):
        layers = [copy.deepcopy(self.update) for _ in range(self.steps)]  # <-- CAUSE
        for layer in layers:
            x = x + layer(x)
        return x


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.lift = nn.Linear(3, 5)
        self.refiner = Refiner(5, 3)
        self.drop = nn.Linear(5, 2)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.mse_loss(self.drop(self.refiner(self.lift(x))), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(367)
    x = torch.randn(12, 3, generator=g)
    return DataLoader(TensorDataset(x, x[:, :2].sin()), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "copy.deepcopy",
    "cause_alt": ["deepcopy"],
    "line_marker": "# <-- CAUSE",
    "params": ["refiner.update.*"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
