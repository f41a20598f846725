# SPDX-License-Identifier: Apache-2.0
"""Samples are assigned to the nearest centre by argmin; distances to that centre are the loss."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self, k=3):
        super().__init__()
        self.enc, self.dec = nn.Linear(8, 3), nn.Linear(3, 8)
        self.centres = nn.Parameter(torch.randn(k, 3) * 0.2)

    def training_step(self, batch, batch_idx):
        (x,) = batch
        z = self.enc(x)
        assigned = torch.cdist(z, self.centres).argmin(1)
        student = 1 / (1 + torch.cdist(z, self.centres).square())
        q = student / student.sum(1, keepdim=True)
        p = (q**2 / q.sum(0)).detach()
        p = p / p.sum(1, keepdim=True)
        near = (z - self.centres[assigned]).square().sum(1).mean()
        return F.mse_loss(self.dec(z), x) + 0.1 * near + 0.1 * F.kl_div(q.log(), p, reduction="batchmean")

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(710)
    x = torch.randn(24, 8, generator=g)
    return DataLoader(TensorDataset(x), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "The assignment is constant, distance and centre are differentiable.",
    "all_grads_by_step": 1,
    "source": "own",
}
