# SPDX-License-Identifier: Apache-2.0
"""Regression head with all weights zero, as policy and reward heads often start."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh())
        self.head = nn.Linear(8, 1)
        nn.init.constant_(self.head.weight, 0.0)
        nn.init.constant_(self.head.bias, 0.0)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.mse_loss(self.head(self.trunk(x)).squeeze(1), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(541)
    data = TensorDataset(torch.randn(24, 5, generator=g), torch.randn(24, generator=g))
    return DataLoader(data, batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "The trunk's first gradient is exactly zero and the head's is not, so the second step heals it.",
    "all_grads_by_step": 2, "late": {"trunk.*": 2},
    "source": "own",
}
