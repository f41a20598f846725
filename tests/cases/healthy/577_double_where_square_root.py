# SPDX-License-Identifier: Apache-2.0
"""Safe square root and division: the argument is replaced before and the result after."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(4, 4)
        self.bias = nn.Parameter(torch.zeros(4))

    def training_step(self, batch, batch_idx):
        x, y = batch
        v = torch.relu(self.net(x) + self.bias)
        positive = v > 0
        root = torch.where(positive, torch.sqrt(torch.where(positive, v, torch.ones_like(v))), torch.zeros_like(v))
        pred = root.sum(1) / torch.where(positive.any(1), positive.sum(1), 1)
        return F.mse_loss(pred, y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(577)
    data = TensorDataset(torch.randn(24, 4, generator=g), torch.randn(24, generator=g))
    return DataLoader(data, batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "The branch that is not taken never computes the root of zero.",
    "all_grads_by_step": 1,
    "source": "own",
}
