# SPDX-License-Identifier: Apache-2.0
"""Sharpness-aware minimisation: perturb the weights along the gradient, second pass, step back, step."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2))

    def training_step(self, batch, batch_idx):
        x, y = batch
        opt = self.optimizers()
        self.manual_backward(F.cross_entropy(self.net(x), y))
        moves = []
        with torch.no_grad():
            norm = torch.stack([p.grad.norm() for p in self.parameters()]).norm() + 1e-12
            for p in self.parameters():
                moves.append(0.05 * p.grad / norm)
                p.add_(moves[-1])
        opt.zero_grad()
        self.manual_backward(F.cross_entropy(self.net(x), y))
        with torch.no_grad():
            for p, m in zip(self.parameters(), moves, strict=True):
                p.sub_(m)
        opt.step()
        opt.zero_grad()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(766)
    x = torch.randn(24, 4, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 2, (24,), generator=g)), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "Both backward passes reach every parameter.",
    "all_grads_by_step": 1,
    "source": "own",
}
