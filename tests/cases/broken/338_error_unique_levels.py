# SPDX-License-Identifier: Apache-2.0
"""A penalty on the distinct rounded activation levels, taken with torch.unique."""

import pytorch_lightning as pl
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset


def level_penalty(h, decimals=1):
    levels = torch.unique(h.flatten(), sorted=True)  # <-- CAUSE
    return torch.diff(levels).square().sum() / 10**decimals


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc, self.dec = nn.Linear(5, 2), nn.Linear(2, 5)

    def training_step(self, batch, batch_idx):
        (x,) = batch
        h = self.enc(x)
        return F.mse_loss(self.dec(h), x) + level_penalty(h)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(338)
    return DataLoader(TensorDataset(torch.randn(12, 5, generator=g)), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "backward_error",
    "cause": "torch.unique",
    "line_marker": "# <-- CAUSE",
    "params": ["enc.*"],
    "metric_like": None,
    "error": "the derivative for '_unique2' is not implemented",
    "source": "own",
    "notes": "",
}
