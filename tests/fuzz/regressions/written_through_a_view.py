# SPDX-License-Identifier: Apache-2.0
"""A write through a view passes a gradient on, past the node of the view."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn

CODES = ["GG103"]


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.lin = nn.Linear(3, 3)
        self.gain = nn.Parameter(torch.ones(3))

    def training_step(self, batch, batch_idx):
        (x,) = batch
        h = self.lin(x) * self.gain
        u = h.clone()
        v = u[1:]
        v += x[1:]
        w = u.detach().tanh()  # <-- CAUSE
        return u.pow(2).mean() + w.pow(2).mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)
