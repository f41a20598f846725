# SPDX-License-Identifier: Apache-2.0
"""One parameter group has learning rate zero for the whole run, another has its own rate and no momentum."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.slow, self.fast = nn.Linear(5, 8), nn.Linear(8, 1)
        self.offset = nn.Parameter(torch.zeros(1))

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.mse_loss(self.fast(torch.cos(self.slow(x))).squeeze(1) + self.offset, y)

    def configure_optimizers(self):
        groups = [
            {"params": self.slow.parameters(), "lr": 0.0},
            {"params": self.fast.parameters()},
            {"params": [self.offset], "lr": 1e-1, "momentum": 0.0},
        ]
        return torch.optim.SGD(groups, lr=1e-2, momentum=0.9)


def dataloader():
    g = torch.Generator().manual_seed(593)
    data = TensorDataset(torch.randn(24, 5, generator=g), torch.randn(24, generator=g))
    return DataLoader(data, batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "Rates are the user's choice; gradients exist everywhere.",
    "all_grads_by_step": 1,
    "source": "own",
}
