# SPDX-License-Identifier: Apache-2.0
"""requires_grad of the discriminator is switched off and on again, batch by batch."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def set_requires_grad(net, flag):
    for p in net.parameters():
        p.requires_grad = flag


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.g, self.d = nn.Linear(2, 4), nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 1))

    def training_step(self, batch, batch_idx):
        (z,) = batch
        turn_d = batch_idx % 2 == 0
        set_requires_grad(self.d, turn_d)
        fake = self.g(z)
        if turn_d:
            real = torch.cat([z, z.cos()], 1)
            return F.softplus(self.d(fake.detach())).mean() + F.softplus(-self.d(real)).mean()
        return F.softplus(-self.d(fake)).mean()

    def configure_optimizers(self):
        return torch.optim.RMSprop(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(723)
    x = torch.randn(32, 2, generator=g)
    return DataLoader(TensorDataset(x), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "Every network gets its turn.",
    "all_grads_by_step": 2,
    "late": {"g.*": 2},
    "steps": 4,
    "source": "own",
}
