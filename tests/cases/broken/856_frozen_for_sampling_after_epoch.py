# SPDX-License-Identifier: Apache-2.0
"""Samples are drawn after each validation epoch with self.freeze(), and nobody unfreezes."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.dec = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 6))
        self.enc = nn.Linear(6, 4)

    def training_step(self, batch, batch_idx):
        (x,) = batch
        mu, lv = self.enc(x).chunk(2, -1)
        z = mu + torch.randn_like(mu) * (0.5 * lv).exp()
        kl = 0.5 * (mu**2 + lv.exp() - 1 - lv).sum(1).mean()
        return F.mse_loss(self.dec(z), x) + 0.01 * kl

    def validation_step(self, batch, batch_idx):
        (x,) = batch
        self.log("val", F.mse_loss(self.dec(self.enc(x)[:, :2]), x))

    def on_validation_epoch_end(self):
        self.freeze()  # <-- CAUSE
        self.samples = self.dec(torch.randn(4, 2))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def val_dataloader():
    return DataLoader(TensorDataset(torch.ones(4, 6)), batch_size=4)


def dataloader():
    g = torch.Generator().manual_seed(856)
    return DataLoader(TensorDataset(torch.randn(16, 6, generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'cause': 'freeze', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'held', 'notes': '', 'symptom': 'no_grad_loss', 'onset_step': 3, 'steps': 6}
