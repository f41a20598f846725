# SPDX-License-Identifier: Apache-2.0
"""VQ-VAE whose second loss detaches the codes as well: nothing trains the codebook."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class VectorQuantizer(nn.Module):
    def __init__(self, n, d):
        super().__init__()
        self.codes = nn.Embedding(n, d)

    def forward(self, z):
        nearest = torch.cdist(z, self.codes.weight).argmin(1)
        q = self.codes(nearest)
        commitment = 0.25 * F.mse_loss(z, q.detach())  # <-- CAUSE
        return z + (q - z).detach(), commitment  # <-- ALSO


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc, self.dec = nn.Linear(8, 3), nn.Linear(3, 8)
        self.vq = VectorQuantizer(10, 3)

    def training_step(self, batch, batch_idx):
        (x,) = batch
        q, commitment = self.vq(self.enc(x))
        return F.mse_loss(self.dec(q), x) + commitment

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def dataloader():
    g = torch.Generator().manual_seed(627)
    x = torch.randn(24, 8, generator=g)
    return DataLoader(TensorDataset(x), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "Tensor.detach",
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": ["vq.codes.weight"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
