# SPDX-License-Identifier: Apache-2.0
"""The name of the target is bound to the reconstruction: loss and gradients are exactly zero."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc, self.dec = nn.Linear(8, 3), nn.Linear(3, 8)

    def forward(self, x):
        return self.dec(self.enc(x).tanh())

    def training_step(self, batch, batch_idx):
        (x,) = batch
        recon = target = self(x)  # <-- ALSO
        self.log("recon_error", (recon - x).abs().mean())
        return F.mse_loss(recon, target)  # <-- CAUSE

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.02, momentum=0.9)


def dataloader():
    g = torch.Generator().manual_seed(644)
    x = torch.randn(24, 8, generator=g)
    return DataLoader(TensorDataset(x), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "zero",
    "cause": "mse_loss",
    "cause_alt": ["F.mse_loss", "torch.nn.functional.mse_loss", "torch.sub"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": None,
    "source": "own",
    "notes": "",
}
