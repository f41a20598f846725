# SPDX-License-Identifier: Apache-2.0
"""Sorting a live value is not to blame for a number taken out of it."""

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
        s = h.gather(1, h.argsort(1))
        k = int(s.sum() * 10)  # <-- CAUSE
        return s.pow(2).mean() - F.logsigmoid(x + k).mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)
