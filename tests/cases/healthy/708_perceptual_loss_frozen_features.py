# SPDX-License-Identifier: Apache-2.0
"""Perceptual loss with a frozen network, features of the target under no_grad."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Features(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Conv2d(1, 4, 3), nn.Conv2d(4, 4, 3)])
        self.requires_grad_(False).eval()

    def forward(self, x):
        out = []
        for layer in self.layers:
            x = layer(x).relu()
            out.append(x / (x.norm(dim=1, keepdim=True) + 1e-6))
        return out


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.gen = nn.Conv2d(1, 1, 3, padding=1)
        self.vgg = Features()

    def training_step(self, batch, batch_idx):
        (x,) = batch
        with torch.no_grad():
            wanted = self.vgg(x.flip(-1))
        return sum(F.mse_loss(a, b) for a, b in zip(self.vgg(self.gen(x)), wanted, strict=True))

    def configure_optimizers(self):
        return torch.optim.Adam(self.gen.parameters())


def dataloader():
    g = torch.Generator().manual_seed(708)
    x = torch.randn(9, 1, 7, 7, generator=g)
    return DataLoader(TensorDataset(x), batch_size=3)


EXPECT = {
    "verdict": "healthy",
    "why": "The gradient passes through the frozen network to the generator.",
    "all_grads_by_step": 1,
    "source": "own",
}
