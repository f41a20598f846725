# SPDX-License-Identifier: Apache-2.0
"""Data goes on through `torch.vmap` and `torch.func` where no gradient does."""

import pytorch_lightning as pl
import torch
from torch import nn

CODES = ["GG103"]


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.lin = nn.Linear(3, 3)

    def training_step(self, batch, batch_idx):
        (x,) = batch
        h = self.lin(x)
        i = h.topk(2, dim=1).indices.float()  # <-- CAUSE
        v = torch.vmap(torch.tanh)(i)
        u = torch.func.vjp(torch.sin, v)[0]
        return h.pow(2).mean() + u.mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)
