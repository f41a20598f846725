# SPDX-License-Identifier: Apache-2.0
"""Energy model: the training signal is a derivative with respect to the data."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.energy = nn.Sequential(nn.Linear(3, 16), nn.SiLU(), nn.Linear(16, 16), nn.SiLU(), nn.Linear(16, 1))

    def training_step(self, batch, batch_idx):
        (x,) = batch
        noise = 0.3 * torch.randn_like(x)
        noisy = (x + noise).requires_grad_(True)
        (slope,) = torch.autograd.grad(self.energy(noisy).sum(), noisy, create_graph=True)
        return (slope - noise / 0.09).square().sum(1).mean()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(570)
    return DataLoader(TensorDataset(torch.randn(24, 3, generator=g)), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "The loss sees the slope of the energy only, so the constant added at its end never matters.",
    "all_grads_by_step": 1, "never": ["energy.4.bias"],
    "source": "own",
}
