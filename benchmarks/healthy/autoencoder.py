# SPDX-License-Identifier: Apache-2.0
"""A variational autoencoder on small pictures."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, stride=2, padding=1)
        self.mean = nn.Linear(64, 5)
        self.logvar = nn.Linear(64, 5)
        self.expand = nn.Linear(5, 64)
        self.deconv = nn.ConvTranspose2d(4, 1, 4, stride=2, padding=1)

    def encode(self, x):
        h = self.conv(x)
        h = F.leaky_relu(h, 0.1)
        h = h.flatten(1)
        mean = self.mean(h)
        logvar = self.logvar(h)
        return mean, logvar

    def decode(self, z):
        h = self.expand(z)
        h = torch.tanh(h)
        h = h.view(-1, 4, 4, 4)
        return self.deconv(h)

    def training_step(self, batch, batch_idx):
        (x,) = batch
        mean, logvar = self.encode(x)
        std = torch.exp(0.5 * logvar)
        noise = torch.randn_like(std)
        z = mean + std * noise
        logits = self.decode(z)
        rebuilt = torch.sigmoid(logits)
        fit = F.mse_loss(rebuilt, x, reduction="sum")
        kl = -0.5 * (1 + logvar - mean.pow(2) - logvar.exp()).sum()
        loss = fit + 0.1 * kl
        return loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def batch():
    return (torch.rand(6, 1, 8, 8),)
