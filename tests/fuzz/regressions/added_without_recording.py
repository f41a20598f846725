# SPDX-License-Identifier: Apache-2.0
"""What is added under `no_grad` to a live value is cut off there, not at a later cut."""

import pytorch_lightning as pl
import torch
from torch import nn

CODES = ["GG104"]


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.lin = nn.Linear(3, 3)
        self.other = nn.Linear(3, 3)
        self.gain = nn.Parameter(torch.ones(3))

    def training_step(self, batch, batch_idx):
        (x,) = batch
        h = self.lin(x)
        u = torch.tanh(self.other(x))
        with torch.no_grad():  # <-- CAUSE
            u.add_(h)
        v = u.detach()
        return (v * self.gain).pow(2).mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)
