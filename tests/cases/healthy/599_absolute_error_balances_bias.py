# SPDX-License-Identifier: Apache-2.0
"""Absolute error with far targets, half above and half below: the signs cancel in the last bias."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.l1_loss(self.net(x).squeeze(1), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(599)
    far = 5 + torch.rand(24, generator=g)
    y = torch.where(torch.arange(24) % 2 == 0, far, -far)
    return DataLoader(TensorDataset(torch.randn(24, 4, generator=g), y), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "The gradient of the bias is a sum of signs, and a balanced batch makes it exactly zero.",
    "all_grads_by_step": 1, "never": ["net.2.bias"],
    "source": "own",
}
