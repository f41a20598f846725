# SPDX-License-Identifier: Apache-2.0
"""Curve fit by LBFGS, whose closure runs training_step several times per batch."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.amp, self.rate = nn.Parameter(torch.tensor(1.0)), nn.Parameter(torch.tensor(0.5))
        self.shift = nn.Parameter(torch.zeros(1))

    def training_step(self, batch, batch_idx):
        x, y = batch
        curve = self.amp * torch.exp(-self.rate.abs() * x[:, 0].abs()) + self.shift
        return F.mse_loss(curve, y)

    def configure_optimizers(self):
        return torch.optim.LBFGS(self.parameters(), lr=0.5, max_iter=4)


def dataloader():
    g = torch.Generator().manual_seed(531)
    data = TensorDataset(torch.randn(24, 1, generator=g), torch.randn(24, generator=g))
    return DataLoader(data, batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "Several forward and backward passes belong to one step.",
    "all_grads_by_step": 1,
    "source": "own",
}
