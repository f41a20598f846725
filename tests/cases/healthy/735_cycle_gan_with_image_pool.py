# SPDX-License-Identifier: Apache-2.0
"""CycleGAN by hand: pools of old fakes for the discriminators, live fakes for the generators."""

import itertools

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Pool:
    def __init__(self):
        self.images = []

    def query(self, images):
        self.images = (self.images + [i.detach() for i in images])[-8:]
        return torch.stack(self.images[-len(images):])


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.gab, self.gba = nn.Linear(4, 4), nn.Linear(4, 4)
        self.da, self.db = nn.Linear(4, 1), nn.Linear(4, 1)
        self.pool_a, self.pool_b = Pool(), Pool()

    def training_step(self, batch, batch_idx):
        (a,) = batch
        b = a.sin()
        opt_g, opt_d = self.optimizers()
        fb, fa = self.gab(a), self.gba(b)
        cycle = F.l1_loss(self.gba(fb), a) + F.l1_loss(self.gab(fa), b)
        gan = (self.db(fb) - 1).square().mean() + (self.da(fa) - 1).square().mean()
        opt_g.zero_grad()
        self.manual_backward(gan + 10 * cycle)
        opt_g.step()
        opt_d.zero_grad()
        for d, real, fake, pool in ((self.da, a, fa, self.pool_a), (self.db, b, fb, self.pool_b)):
            loss = (d(real) - 1).square().mean() + d(pool.query(fake)).square().mean()
            self.manual_backward(0.5 * loss)
        opt_d.step()

    def configure_optimizers(self):
        gens = itertools.chain(self.gab.parameters(), self.gba.parameters())
        discs = itertools.chain(self.da.parameters(), self.db.parameters())
        return torch.optim.Adam(gens), torch.optim.Adam(discs)


def dataloader():
    g = torch.Generator().manual_seed(735)
    x = torch.randn(24, 4, generator=g)
    return DataLoader(TensorDataset(x), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "The detached images only reach the discriminators.",
    "all_grads_by_step": 1,
    "source": "own",
}
