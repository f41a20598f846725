# SPDX-License-Identifier: Apache-2.0
"""Generated weights in an `nn.Parameter` are cut off where they are wrapped, not where used."""

import pytorch_lightning as pl
import torch
from torch import nn

CODES = ["GG104"]

MIX = torch.eye(3) + 0.1


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.lin = nn.Linear(3, 3)
        self.maker = nn.Linear(3, 3)

    def training_step(self, batch, batch_idx):
        (x,) = batch
        w = nn.Parameter(self.maker(MIX))  # <-- CAUSE
        h = self.lin(x)
        return (h @ w).pow(2).mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)
