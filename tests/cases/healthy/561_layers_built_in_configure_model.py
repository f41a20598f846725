# SPDX-License-Identifier: Apache-2.0
"""Part of the network is created in configure_model, after the constructor."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.stem = nn.Linear(6, 8)
        self.head = None

    def configure_model(self):
        if self.head is None:
            self.head = nn.Sequential(nn.PReLU(), nn.Linear(8, 3))

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.multi_margin_loss(self.head(self.stem(x)), y, p=2)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(561)
    data = TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 3, (24,), generator=g))
    return DataLoader(data, batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "Parameters may appear after construction.",
    "all_grads_by_step": 1,
    "source": "own",
}
