# SPDX-License-Identifier: Apache-2.0
"""What a reentrant checkpoint switched off is on again when it returns."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

CODES = ["GG104"]

class Half(torch.autograd.Function):
    @staticmethod
    def forward(ctx, v, w):
        return v @ w

    @staticmethod
    def backward(ctx, g):
        return None, None


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.lin = nn.Linear(3, 3)
        self.weight = nn.Parameter(torch.ones(3, 3))

    def training_step(self, batch, batch_idx):
        (x,) = batch
        h = checkpoint(self.lin, x, use_reentrant=True)  # <-- CAUSE
        h = torch.tanh(h)
        return Half.apply(h, self.weight).pow(2).mean()  # <-- CAUSE

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)
