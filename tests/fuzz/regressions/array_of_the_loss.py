# SPDX-License-Identifier: Apache-2.0
"""An array keeps the memory of a tensor that is gone; what is made of it came from there."""

import pytorch_lightning as pl
import torch
from torch import nn

CODES = ["GG101"]


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.lin = nn.Linear(3, 3)

    def training_step(self, batch, batch_idx):
        (x,) = batch
        loss = self.lin(x).pow(2).mean()
        loss = torch.from_numpy(loss.detach().numpy())  # <-- CAUSE
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)
