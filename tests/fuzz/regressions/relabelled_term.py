# SPDX-License-Identifier: Apache-2.0
"""A term behind a new leaf adds nothing to any gradient."""

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
        u = h.detach().requires_grad_()  # <-- CAUSE
        return h.pow(2).mean() + 0.5 * F.l1_loss(u, x)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)
