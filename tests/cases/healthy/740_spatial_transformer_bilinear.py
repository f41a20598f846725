# SPDX-License-Identifier: Apache-2.0
"""Affine crop with bilinear sampling; theta starts as the identity with zero weights."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Flatten(), nn.Linear(36, 8), nn.Tanh())
        self.theta = nn.Linear(8, 6)
        nn.init.zeros_(self.theta.weight)
        with torch.no_grad():
            self.theta.bias.copy_(torch.tensor([0.8, 0.05, 0, 0, 0.8, 0.05]))
        self.cls = nn.Linear(36, 3)

    def training_step(self, batch, batch_idx):
        img, y = batch
        grid = F.affine_grid(self.theta(self.trunk(img)).view(-1, 2, 3), img.shape, align_corners=False)
        return F.cross_entropy(self.cls(F.grid_sample(img, grid, align_corners=False).flatten(1)), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(740)
    x = torch.randn(12, 1, 6, 6, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 3, (12,), generator=g)), batch_size=4)


EXPECT = {
    "verdict": "healthy",
    "why": "The localisation head gets gradients at once, its trunk after the first step.",
    "all_grads_by_step": 2,
    "late": {"trunk.*": 2},
    "source": "own",
}
