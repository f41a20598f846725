# SPDX-License-Identifier: Apache-2.0
"""A literal in a sum depends on nothing, whatever its neighbour is made of."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn

CODES = []


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.lin = nn.Linear(3, 3)
        self.gain = nn.Parameter(torch.ones(3))

    def training_step(self, batch, batch_idx):
        (x,) = batch
        h = self.lin(x) * self.gain
        n = h.detach().numpy()
        t = (h * torch.from_numpy(n * 2)).pow(2).mean()
        return t + 0.123

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)
