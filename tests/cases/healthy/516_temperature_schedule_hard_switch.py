# SPDX-License-Identifier: Apache-2.0
"""Soft selection of features whose temperature falls with the step and turns hard with a straight-through pass."""

import math

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.select = nn.Parameter(torch.randn(2, 6) * 0.1)
        self.head = nn.Linear(2, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        tau = max(0.2, math.exp(-0.3 * self.global_step))
        soft = (self.select / tau).softmax(1)
        if self.global_step >= 2:
            hard = F.one_hot(soft.argmax(1), 6).to(soft.dtype)
            soft = hard + soft - soft.detach()
        return F.mse_loss(self.head(x @ soft.t()).squeeze(1), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(516)
    data = TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, generator=g))
    return DataLoader(data, batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "The hard choice adds a value only, the gradient stays that of the softmax.",
    "steps": 5, "all_grads_by_step": 1,
    "source": "own",
}
