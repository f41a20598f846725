# SPDX-License-Identifier: Apache-2.0
"""Own predictions, detached, replace some of the inputs of the second pass."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 6))

    def training_step(self, batch, batch_idx):
        (x,) = batch
        one = self.net(x)
        mixed = torch.where(torch.rand_like(x) < 0.5, one.detach(), x)
        two = self.net(mixed)
        return F.mse_loss(one, x.roll(1, 1)) + F.mse_loss(two, x.roll(2, 1))

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def dataloader():
    g = torch.Generator().manual_seed(777)
    x = torch.randn(24, 6, generator=g)
    return DataLoader(TensorDataset(x), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "The second pass is live, the first one trains by its own loss.",
    "all_grads_by_step": 1,
    "source": "own",
}
