# SPDX-License-Identifier: Apache-2.0
"""A `Variable` around `.data` is made unseen; the `.data` is to blame, not its first use."""

import pytorch_lightning as pl
import torch
from torch import nn

CODES = ["GG104"]


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.lin = nn.Linear(3, 3)
        self.gain = nn.Parameter(torch.ones(3))

    def training_step(self, batch, batch_idx):
        (x,) = batch
        h = torch.tanh(self.lin(x))
        v = torch.autograd.Variable(h.data)  # <-- CAUSE
        u = v * 2.0
        return (u * self.gain).pow(2).mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)
