# SPDX-License-Identifier: Apache-2.0
"""nan_to_num behind the log of a negative output turns NaN into a constant with a zero gradient."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class RateModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.lin = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 1))
        self.shift = -20.0

    def forward(self, x):
        return self.lin(x).squeeze(-1) + self.shift


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.rate = RateModel()

    def log_rate(self, x):
        return torch.log(self.rate(x)).nan_to_num(nan=0.0)  # <-- CAUSE

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.mse_loss(self.log_rate(x), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(430)
    x = torch.randn(12, 4, generator=g)
    return DataLoader(TensorDataset(x, torch.randn(12, generator=g)), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "zero",
    "cause": "Tensor.nan_to_num",
    "cause_alt": ["torch.log", "nan_to_num"],
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": None,
    "loss_finite": True,
    "source": "own",
    "notes": "",
}
