# SPDX-License-Identifier: Apache-2.0
"""Two views of a point pulled together, with a learned temperature."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(6, 16), nn.ELU(), nn.Linear(16, 8))
        self.project = nn.Linear(8, 4)
        self.scale = nn.Parameter(torch.tensor(1.0))

    def embed(self, x):
        h = self.body(x)
        z = self.project(h)
        z = F.normalize(z, dim=1)
        return z

    def training_step(self, batch, batch_idx):
        (x,) = batch
        left = self.embed(x + 0.1 * torch.randn_like(x))
        right = self.embed(x + 0.1 * torch.randn_like(x))
        scores = left @ right.t()
        scores = scores * self.scale.exp()
        target = torch.arange(len(x))
        loss = F.cross_entropy(scores, target) + F.cross_entropy(scores.t(), target)
        return loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def batch():
    return (torch.randn(8, 6),)
