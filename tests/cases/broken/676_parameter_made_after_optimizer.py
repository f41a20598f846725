# SPDX-License-Identifier: Apache-2.0
"""The noise parameter is created in configure_optimizers, below the optimizer."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(4, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        err = (self.net(x)[:, 0] - y) ** 2
        return (err * torch.exp(-2 * self.log_sigma) + self.log_sigma).mean()

    def configure_optimizers(self):
        optimizer = torch.optim.Adam(self.parameters())  # <-- ALSO
        self.log_sigma = nn.Parameter(torch.zeros(()))  # <-- CAUSE
        return optimizer


def dataloader():
    g = torch.Generator().manual_seed(676)
    x = torch.randn(24, 4, generator=g)
    return DataLoader(TensorDataset(x, torch.randn(24, generator=g)), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "not_optimized",
    "cause": "optimizer_params",
    "cause_alt": ["Parameter", "nn.Parameter", "late_parameter"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": ["log_sigma"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
