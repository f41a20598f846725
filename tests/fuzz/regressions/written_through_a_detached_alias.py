# SPDX-License-Identifier: Apache-2.0
"""Data written through `data` has no history, whatever cuts the written tensor later."""

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
        u = (x * self.gain).clone()
        u.data.add_(self.lin(x))  # <-- CAUSE
        return u.pow(2).mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)
