# SPDX-License-Identifier: Apache-2.0
"""Least-squares GAN with plain loss.backward(): even batches train the discriminator, odd ones the generator."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.make = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 2))
        self.judge = nn.Sequential(nn.Linear(2, 8), nn.LeakyReLU(0.1), nn.Linear(8, 1))

    def training_step(self, batch, batch_idx):
        (real,) = batch
        make_opt, judge_opt = self.optimizers()
        z = torch.randn_like(real)
        if batch_idx % 2 == 0:
            with torch.no_grad():
                fake = self.make(z)
            loss = (self.judge(real) - 1).square().mean() + self.judge(fake).square().mean()
            opt = judge_opt
        else:
            loss = (self.judge(self.make(z)) - 1).square().mean()
            opt = make_opt
        make_opt.zero_grad()
        judge_opt.zero_grad()
        loss.backward()
        opt.step()

    def configure_optimizers(self):
        return [torch.optim.Adam(m.parameters(), lr=5e-4) for m in (self.make, self.judge)]


def dataloader():
    g = torch.Generator().manual_seed(528)
    return DataLoader(TensorDataset(torch.randn(32, 2, generator=g)), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "The no_grad sample feeds the discriminator; the generator's own turn comes with the next batch.",
    "steps": 4, "all_grads_by_step": 2, "late": {"make.*": 2},
    "source": "own",
}
