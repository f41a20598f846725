# SPDX-License-Identifier: Apache-2.0
"""What was written before stays on the way to the cut."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn

CODES = ["GG104"]


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.lin = nn.Linear(3, 3)
        self.gain = nn.Parameter(torch.ones(3))

    def training_step(self, batch, batch_idx):
        (x,) = batch
        h = self.lin(x)
        u = h.clone()
        v = u[1:]
        v += x[1:]
        m = u > 0.1  # <-- CAUSE
        return torch.where(m, x * self.gain, 0.5 * x).pow(2).mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)
