# SPDX-License-Identifier: Apache-2.0
"""A vector quantiser with the straight-through trick written with detach on both sides."""

import pytorch_lightning as pl
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset


class VQ(nn.Module):
    def __init__(self, k, d):
        super().__init__()
        self.codes = nn.Embedding(k, d)

    def forward(self, z):
        near = torch.cdist(z.detach(), self.codes.weight.detach()).argmin(-1)
        q = self.codes(near)
        codebook = F.mse_loss(q, z.detach())
        z_q = (z + (q - z)).detach()  # <-- CAUSE
        return z_q, codebook


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
        self.vq = VQ(4, 3)
        self.dec = nn.Linear(3, 6)

    def training_step(self, batch, batch_idx):
        (x,) = batch
        z_q, codebook = self.vq(self.enc(x))
        return F.mse_loss(self.dec(z_q), x) + codebook

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(388)
    return DataLoader(TensorDataset(torch.randn(16, 6, generator=g)), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "Tensor.detach",
    "line_marker": "# <-- CAUSE",
    "params": ["enc.*"],
    "metric_like": None,
    "source": "own",
    "notes": "Should read z + (q - z).detach(); the other detach calls are right.",
}
