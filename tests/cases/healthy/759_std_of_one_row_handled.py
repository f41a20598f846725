# SPDX-License-Identifier: Apache-2.0
"""The last batch holds a single sample; its spread is taken with correction zero."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 2))

    def training_step(self, batch, batch_idx):
        x, y = batch
        z = self.net(x)
        spread = torch.sqrt(z.var(0, correction=0) + 1e-4)
        return F.mse_loss(z[:, 0], y) + F.relu(1 - spread).mean() + F.l1_loss(z[:, 1], y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.02, momentum=0.9)


def dataloader():
    g = torch.Generator().manual_seed(759)
    x = torch.randn(25, 4, generator=g)
    return DataLoader(TensorDataset(x, torch.randn(25, generator=g)), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "Without the correction the spread of one sample is zero, not undefined.",
    "all_grads_by_step": 1,
    "steps": 4,
    "source": "own",
}
