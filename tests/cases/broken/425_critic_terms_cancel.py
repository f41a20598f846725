# SPDX-License-Identifier: Apache-2.0
"""Wasserstein critic fed the same batch as real and as fake: the two terms cancel exactly."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Critic(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(dim, 12), nn.LeakyReLU(0.2))
        self.score = nn.Linear(12, 1)

    def forward(self, x):
        return self.score(self.body(x))


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.generator = nn.Linear(3, 6)
        self.critic = Critic(6)

    def critic_loss(self, real, fake):
        return self.critic(fake).mean() - self.critic(real).mean()  # <-- CAUSE

    def generator_loss(self, fake, real):
        return F.mse_loss(fake.mean(0), real.mean(0))

    def training_step(self, batch, batch_idx):
        (real,) = batch
        fake = self.generator(torch.randn(len(real), 3))
        g_loss = self.generator_loss(fake, real)
        d_loss = self.critic_loss(real, real)  # <-- ALSO
        return g_loss + d_loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), betas=(0.5, 0.9))


def dataloader():
    g = torch.Generator().manual_seed(425)
    x = torch.randn(12, 6, generator=g)
    return DataLoader(TensorDataset(x), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "zero",
    "cause": "sub",
    "cause_alt": ["Tensor.sub", "torch.sub"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": ["critic.*"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
