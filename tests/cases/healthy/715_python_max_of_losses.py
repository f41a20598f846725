# SPDX-License-Identifier: Apache-2.0
"""The worst of three losses by Python's max, a penalty by Python's abs and pow."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(4, 3)

    def training_step(self, batch, batch_idx):
        x, y = batch
        out = self.net(x)
        losses = [(out[:, i] - y.mul(i + 1).sin()).square().mean() for i in range(3)]
        worst, best = max(losses), min(losses, key=float)
        return worst + 0.1 * best + pow(abs(out.mean()), 2) + 0.1 * sum(losses) / len(losses)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(715)
    x = torch.randn(24, 4, generator=g)
    return DataLoader(TensorDataset(x, torch.randn(24, generator=g)), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "max() compares numbers and returns one of the tensors.",
    "all_grads_by_step": 1,
    "source": "own",
}
