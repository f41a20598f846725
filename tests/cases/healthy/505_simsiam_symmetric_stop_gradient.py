# SPDX-License-Identifier: Apache-2.0
"""SimSiam: each view predicts the detached projection of the other one."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.f = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 6))
        self.h = nn.Sequential(nn.Linear(6, 3), nn.ReLU(), nn.Linear(3, 6))

    @staticmethod
    def distance(p, z):
        z = z.detach()
        return -(F.normalize(p, dim=1) * F.normalize(z, dim=1)).sum(1).mean()

    def training_step(self, batch, batch_idx):
        (x,) = batch
        z1 = self.f(x + 0.2 * torch.randn_like(x))
        z2 = self.f(x * (torch.rand_like(x) > 0.2))
        loss = 0.5 * self.distance(self.h(z1), z2) + 0.5 * self.distance(self.h(z2), z1)
        self.log("collapse", F.normalize(z1.detach(), dim=1).std(0).mean())
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)


def dataloader():
    g = torch.Generator().manual_seed(505)
    return DataLoader(TensorDataset(torch.randn(24, 8, generator=g)), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "Every detached projection is live in the other half of the same loss.",
    "all_grads_by_step": 1,
    "source": "own",
}
