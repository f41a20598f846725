# SPDX-License-Identifier: Apache-2.0
"""A factor that is trained will not stay zero, and `round` lets nothing through all the same."""

import pytorch_lightning as pl
import torch
from torch import nn

CODES = ["GG202"]


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.gate = nn.Parameter(torch.zeros(3))
        self.grid = nn.Parameter(torch.tensor([4.2, 5.1, 6.3]))

    def training_step(self, batch, batch_idx):
        (x,) = batch
        g = torch.round(self.grid)  # <-- CAUSE
        return (x + self.gate * g).pow(2).mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)
