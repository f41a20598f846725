# SPDX-License-Identifier: Apache-2.0
"""What comes back from one exit and leaves by another still depends on the parameter."""

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
        h = self.lin(x)
        first = torch.full((4,), h.mean().item())  # <-- CAUSE
        return torch.tensor([v.item() for v in first]).mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)
