# SPDX-License-Identifier: Apache-2.0
"""A Function that hands nothing on is to blame even where only a zero arrives."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn

CODES = ["GG104", "GG203"]

class Half(torch.autograd.Function):
    @staticmethod
    def forward(ctx, v, w):
        ctx.save_for_backward(w)
        return v @ w

    @staticmethod
    def backward(ctx, g):
        return g @ ctx.saved_tensors[0].t(), None


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3, 3))
        self.lin = nn.Linear(3, 3)

    def training_step(self, batch, batch_idx):
        (x,) = batch
        h = Half.apply(self.lin(x), self.weight)  # <-- CAUSE
        return F.threshold(h, 1e9, 0.0).mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)
