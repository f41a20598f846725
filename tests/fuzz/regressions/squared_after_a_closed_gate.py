# SPDX-License-Identifier: Apache-2.0
"""The slope of a square is zero at zero; what made the zeros is to blame."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn

CODES = ["GG203"]


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.lin = nn.Linear(3, 3)

    def training_step(self, batch, batch_idx):
        (x,) = batch
        h = self.lin(x)
        u = F.threshold(h, 1e9, 0.0)  # <-- CAUSE
        return u.pow(2).mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)
