# SPDX-License-Identifier: Apache-2.0
"""A round number that left torch says nothing about an equal one in the source."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn

CODES = []

LABELS = torch.tensor([0, 3, 1, 2])


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.lin = nn.Linear(3, 3)

    def training_step(self, batch, batch_idx):
        (x,) = batch
        h = self.lin(x)
        s = torch.ones_like(h).mul(h.detach().abs() + 1.0).clamp(max=1.0).sum(1)[0].item()
        u = h * s
        t = F.cross_entropy(x, LABELS % 3)
        return u.pow(2).mean() + t

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)
