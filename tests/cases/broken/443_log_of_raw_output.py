# SPDX-License-Identifier: Apache-2.0
"""Squared logarithmic error with the logarithm of an unconstrained network output."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class SquaredLogError(nn.Module):
    def __init__(self, eps=1e-6):
        super().__init__()
        self.eps = eps

    def forward(self, rate, count):
        diff = rate.log() - (count + self.eps).log()  # <-- CAUSE
        return diff.square().mean()


class Model(pl.LightningModule):
    loss_class = SquaredLogError

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(5, 12), nn.GELU(), nn.Linear(12, 3))
        self.criterion = self.loss_class()

    def training_step(self, batch, batch_idx):
        (x,) = batch
        counts = x.abs().round()[:, :3]
        loss = self.criterion(self.net(x), counts)
        self.log("msle", loss)
        return loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(443)
    x = torch.randn(12, 5, generator=g)
    return DataLoader(TensorDataset(x), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "nonfinite",
    "cause": "Tensor.log",
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": None,
    "loss_finite": False,
    "source": "own",
    "notes": (
        "The log of a negative alone gives a NaN loss and FINITE gradients (1 / "
        "negative); it is the square that carries the NaN back."
    ),
}
