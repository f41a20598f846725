# SPDX-License-Identifier: Apache-2.0
"""Vector quantiser whose codebook is a frozen parameter updated by hand from cluster averages."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc, self.dec = nn.Linear(6, 3), nn.Linear(3, 6)
        self.codebook = nn.Parameter(torch.randn(7, 3), requires_grad=False)
        self.register_buffer("size", torch.ones(7))
        self.register_buffer("total", self.codebook.clone())

    def training_step(self, batch, batch_idx):
        (x,) = batch
        z = self.enc(x)
        with torch.no_grad():
            hit = F.one_hot(torch.cdist(z, self.codebook).argmin(1), 7).float()
            self.size.lerp_(hit.sum(0), 0.1)
            self.total.lerp_(hit.t() @ z, 0.1)
            self.codebook.copy_(self.total / self.size.clamp(min=1e-3)[:, None])
            q = hit @ self.codebook
        rec = self.dec(z + (q - z).detach())
        return F.mse_loss(rec, x) + 0.25 * F.mse_loss(z, q)

    def configure_optimizers(self):
        return torch.optim.Adam([*self.enc.parameters(), *self.dec.parameters()])


def dataloader():
    g = torch.Generator().manual_seed(563)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g)), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "The codebook learns by its own rule; encoder and decoder by gradient.",
    "all_grads_by_step": 1,
    "source": "own",
}
