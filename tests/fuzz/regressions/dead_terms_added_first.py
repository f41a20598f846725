# SPDX-License-Identifier: Apache-2.0
"""Two terms without a gradient, added to each other before the rest: one is told by itself."""

import pytorch_lightning as pl
import torch
from torch import nn

CODES = ["GG103", "GG104"]


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.lin = nn.Linear(3, 3)
        self.other = nn.Linear(3, 3)

    def training_step(self, batch, batch_idx):
        (x,) = batch
        h = self.lin(x)
        with torch.no_grad():
            a = self.other(x).pow(2).mean()
        b = torch.full((4, 3), h.mean().item()).pow(2).mean()  # <-- CAUSE
        return sum([a, b, h.pow(2).mean()])

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)
