# SPDX-License-Identifier: Apache-2.0
"""Manual GAN with the loss log(1 - D): the discriminator is sure, the generator gets zeros."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.main = nn.Sequential(nn.Linear(3, 10), nn.ReLU(), nn.Linear(10, 6))

    def forward(self, z):
        return self.main(z)


class Discriminator(nn.Module):
    def __init__(self):
        super().__init__()
        self.main = nn.Sequential(nn.Linear(6, 10), nn.Tanh(), nn.Linear(10, 1))
        nn.init.constant_(self.main[-1].bias, -150.0)

    def forward(self, x):
        return self.main(x).view(-1)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.G = Generator()
        self.D = Discriminator()

    def d_loss(self, real, fake):
        score = torch.cat([self.D(real), self.D(fake)])
        label = torch.cat([torch.ones(len(real)), torch.zeros(len(fake))])
        return F.binary_cross_entropy_with_logits(score, label)

    def g_loss(self, fake):
        return torch.log(1 - torch.sigmoid(self.D(fake))).mean()  # <-- CAUSE

    def training_step(self, batch, batch_idx):
        (real,) = batch
        opt_g, opt_d = self.optimizers()
        fake = self.G(torch.randn(len(real), 3))

        opt_d.zero_grad()
        self.manual_backward(self.d_loss(real, fake.detach()))
        opt_d.step()

        opt_g.zero_grad()
        self.manual_backward(self.g_loss(fake))
        opt_g.step()

    def configure_optimizers(self):
        opt_g = torch.optim.Adam(self.G.parameters(), lr=2e-4, betas=(0.5, 0.999))
        opt_d = torch.optim.Adam(self.D.parameters(), lr=2e-4, betas=(0.5, 0.999))
        return opt_g, opt_d


def dataloader():
    g = torch.Generator().manual_seed(431)
    x = torch.randn(12, 6, generator=g)
    return DataLoader(TensorDataset(x), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "zero",
    "cause": "torch.sigmoid",
    "cause_alt": ["sigmoid", "torch.log"],
    "line_marker": "# <-- CAUSE",
    "params": ["G.*"],
    "metric_like": None,
    "sometimes_none": True,
    "steps": 6,
    "source": "own",
    "notes": "",
}
