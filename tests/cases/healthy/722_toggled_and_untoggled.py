# SPDX-License-Identifier: Apache-2.0
"""GAN with toggle_optimizer and untoggle_optimizer around both turns."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.g, self.d = nn.Linear(2, 4), nn.Linear(4, 1)

    def turn(self, opt, loss):
        opt.zero_grad()
        self.manual_backward(loss)
        opt.step()
        self.untoggle_optimizer(opt)

    def training_step(self, batch, batch_idx):
        (z,) = batch
        opt_g, opt_d = self.optimizers()
        self.toggle_optimizer(opt_d)
        real = torch.cat([z, z.sin()], 1)
        self.turn(opt_d, F.softplus(self.d(self.g(z).detach())).mean() + F.softplus(-self.d(real)).mean())
        self.toggle_optimizer(opt_g)
        self.turn(opt_g, F.softplus(-self.d(self.g(z))).mean())

    def configure_optimizers(self):
        return torch.optim.Adam(self.g.parameters()), torch.optim.Adam(self.d.parameters())


def dataloader():
    g = torch.Generator().manual_seed(722)
    x = torch.randn(24, 2, generator=g)
    return DataLoader(TensorDataset(x), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "Frozen in the other one's turn only.",
    "all_grads_by_step": 1,
    "source": "own",
}
