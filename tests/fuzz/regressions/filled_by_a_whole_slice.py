# SPDX-License-Identifier: Apache-2.0
"""Nothing of what stood there before survives `u[:] = h`."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn

CODES = ["GG103", "GG106"]


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.lin = nn.Linear(3, 3)
        self.gain = nn.Parameter(torch.ones(3))

    def training_step(self, batch, batch_idx):
        (x,) = batch
        h = x * self.gain
        u = self.lin(x).clone()  # <-- CAUSE
        u[:] = h
        with torch.no_grad():  # <-- CAUSE
            v = torch.tanh(u)
        return h.pow(2).mean() + v.pow(2).mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)
