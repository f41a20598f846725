# SPDX-License-Identifier: Apache-2.0
"""Centres belong to the loss object and have an optimizer of their own, their gradients rescaled before the step."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class CentreLoss(nn.Module):
    def __init__(self, classes, dim):
        super().__init__()
        self.centres = nn.Parameter(torch.randn(classes, dim))

    def forward(self, h, y):
        return (h - self.centres[y]).pow(2).sum(1).clamp(1e-12, 1e12).mean()


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.net, self.head = nn.Linear(6, 4), nn.Linear(4, 3)
        self.centre_loss = CentreLoss(3, 4)

    def training_step(self, batch, batch_idx):
        x, y = batch
        opts = self.optimizers()
        h = torch.relu(self.net(x))
        loss = F.cross_entropy(self.head(h), y) + 5e-3 * self.centre_loss(h, y)
        for opt in opts:
            opt.zero_grad()
        self.manual_backward(loss)
        for p in self.centre_loss.parameters():
            p.grad.data *= 1 / 5e-3
        for opt in opts:
            opt.step()

    def configure_optimizers(self):
        own = [*self.net.parameters(), *self.head.parameters()]
        return torch.optim.Adam(own), torch.optim.SGD(self.centre_loss.parameters(), lr=0.5)


def dataloader():
    g = torch.Generator().manual_seed(594)
    data = TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 3, (24,), generator=g))
    return DataLoader(data, batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "Both optimizers find gradients after the single backward.",
    "steps": 6, "all_grads_by_step": 1,
    "source": "own",
}
