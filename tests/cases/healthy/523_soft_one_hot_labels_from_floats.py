# SPDX-License-Identifier: Apache-2.0
"""Labels arrive as floats, are cast to integers, made one-hot and smoothed."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(5, 8), nn.ELU(), nn.Linear(8, 4))

    def training_step(self, batch, batch_idx):
        x, y = batch
        label = (y.abs() * 2).floor().clamp(0, 3).long()
        soft = F.one_hot(label, 4).to(x.dtype)
        soft = soft * 0.9 + 0.1 / 4
        return -(soft * F.log_softmax(self.net(x.double().float()), dim=1)).sum(1).mean()

    def configure_optimizers(self):
        return torch.optim.Adamax(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(523)
    data = TensorDataset(torch.randn(24, 5, generator=g), torch.randn(24, generator=g))
    return DataLoader(data, batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "All rounding and casting is done to the targets.",
    "all_grads_by_step": 1,
    "source": "own",
}
