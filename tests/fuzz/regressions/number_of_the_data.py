# SPDX-License-Identifier: Apache-2.0
"""A number taken out of the data has nothing to do with an array taken out of the model."""

import numpy as np
import pytorch_lightning as pl
import torch
from torch import nn

CODES = []


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.lin = nn.Linear(3, 3)

    def training_step(self, batch, batch_idx):
        (x,) = batch
        h = self.lin(x)
        n = h.detach().cpu().numpy()
        u = torch.tensor(np.tanh(n)) + h
        w = x / (x.norm().item() + 1.0)
        loss = torch.zeros(())
        loss = loss + w.exp().mean()
        loss = loss + u.pow(2).mean()
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)
