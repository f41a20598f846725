# SPDX-License-Identifier: Apache-2.0
"""A tensor keeps its ways when a detached alias of it is written to."""

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
        u = self.lin(x).clone()
        u.data.add_(x)
        with torch.no_grad():  # <-- CAUSE
            v = torch.tanh(u)
        return (v * self.gain).pow(2).mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)
