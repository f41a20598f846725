# SPDX-License-Identifier: Apache-2.0
"""FGSM examples are made from the input gradient and detached before the second pass."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 3))

    def attack(self, x, y, eps=0.1):
        x = torch.autograd.Variable(x, requires_grad=True)
        loss = F.cross_entropy(self.net(x), y)
        (g,) = torch.autograd.grad(loss, x)
        return (x + eps * g.sign()).clamp(-3, 3).detach()

    def training_step(self, batch, batch_idx):
        x, y = batch
        adv = self.attack(x, y)
        return 0.5 * F.cross_entropy(self.net(x), y) + 0.5 * F.cross_entropy(self.net(adv), y)

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def dataloader():
    g = torch.Generator().manual_seed(762)
    x = torch.randn(24, 5, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 3, (24,), generator=g)), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "The adversarial batch is a constant input of the second, live pass.",
    "all_grads_by_step": 1,
    "source": "own",
}
