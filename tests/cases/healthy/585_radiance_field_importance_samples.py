# SPDX-License-Identifier: Apache-2.0
"""Volume rendering: fine samples by searchsorted on detached coarse weights, merged by sort."""

import math

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.coarse = nn.Sequential(nn.Linear(2, 12), nn.Softplus(), nn.Linear(12, 2))
        self.fine = nn.Sequential(nn.Linear(2, 12), nn.Softplus(), nn.Linear(12, 2))

    @staticmethod
    def render(net, ray, z):
        density, colour = net(torch.stack([ray[:, None] * z, z], -1)).unbind(-1)
        step = torch.cat([z[:, 1:] - z[:, :-1], torch.full_like(z[:, :1], 0.5)], 1)
        alpha = 1 - torch.exp(-F.softplus(density) * step)
        free = torch.cumprod(torch.cat([torch.ones_like(alpha[:, :1]), 1 - alpha + 1e-8], 1), 1)[:, :-1]
        weight = alpha * free
        return (weight * colour.sigmoid()).sum(1), weight

    def training_step(self, batch, batch_idx):
        ray, ref = batch
        ray = ray[:, 0]
        z = torch.linspace(0.1, 2.0, 6).expand(len(ray), 6) + 0.01 * torch.rand(len(ray), 6)
        rough, weight = self.render(self.coarse, ray, z)
        cdf = torch.cumsum(weight.detach() + 1e-4, 1)
        cdf = cdf / cdf[:, -1:]
        idx = torch.searchsorted(cdf, torch.rand(len(ray), 4)).clamp(max=5)
        extra = z.gather(1, idx) + 0.05 * torch.rand(len(ray), 4)
        merged, _ = torch.sort(torch.cat([z, extra], 1), dim=1)
        sharp, _ = self.render(self.fine, ray, merged)
        self.log("psnr", -10 * math.log10(F.mse_loss(sharp, ref.sigmoid()).item()))
        return F.mse_loss(rough, ref.sigmoid()) + F.mse_loss(sharp, ref.sigmoid())

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=5e-4)


def dataloader():
    g = torch.Generator().manual_seed(585)
    data = TensorDataset(torch.randn(24, 1, generator=g), torch.randn(24, generator=g))
    return DataLoader(data, batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "Where to sample is no function to be differentiated; both fields have their own error.",
    "all_grads_by_step": 1,
    "source": "own",
}
