# SPDX-License-Identifier: Apache-2.0
"""The output Hardtanh spans the range of the targets, which the fresh network never enters."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self, y_min=300.0, y_max=400.0):
        super().__init__()
        self.net = nn.Sequential()
        self.net.add_module("fc1", nn.Linear(4, 8))
        self.net.add_module("act1", nn.LeakyReLU())
        self.net.add_module("fc2", nn.Linear(8, 1))
        self.net.add_module("limit", nn.Hardtanh(y_min, y_max))  # <-- CAUSE

    def training_step(self, batch, batch_idx):
        x, y = batch
        kelvin = 350 + 10 * y
        return F.l1_loss(self.net(x).flatten(), kelvin)  # <-- ALSO

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(413)
    x = torch.randn(12, 4, generator=g)
    return DataLoader(TensorDataset(x, torch.randn(12, generator=g)), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "zero",
    "cause": "hardtanh",
    "cause_alt": ["Hardtanh"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": None,
    "source": "own",
    "notes": "",
}
