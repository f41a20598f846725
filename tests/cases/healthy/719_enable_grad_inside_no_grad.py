# SPDX-License-Identifier: Apache-2.0
"""Test-time style gradient inside no_grad: enable_grad is entered again for the energy."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.energy = nn.Sequential(nn.Linear(4, 8), nn.SiLU(), nn.Linear(8, 1))

    @torch.no_grad()
    def langevin(self, x, steps=3):
        x = x.clone()
        for _ in range(steps):
            with torch.enable_grad():
                probe = x.detach().requires_grad_()
                (g,) = torch.autograd.grad(self.energy(probe).sum(), probe)
            x = x - 0.1 * g + 0.05 * torch.randn_like(x)
        return x

    def training_step(self, batch, batch_idx):
        (x,) = batch
        fake = self.langevin(torch.randn_like(x))
        real_e, fake_e = self.energy(x), self.energy(fake)
        return real_e.mean() - fake_e.mean() + 0.1 * (real_e**2 + fake_e**2).mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.02, momentum=0.9)


def dataloader():
    g = torch.Generator().manual_seed(719)
    x = torch.randn(24, 4, generator=g)
    return DataLoader(TensorDataset(x), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "The loss is computed where gradients are on.",
    "all_grads_by_step": 1,
    "source": "own",
}
