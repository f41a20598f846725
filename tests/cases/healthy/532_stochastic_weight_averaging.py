# SPDX-License-Identifier: Apache-2.0
"""SWA from the second epoch on, with a batch-norm layer that the average has to refresh."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


TRAINER = {"max_epochs": 3}


def callbacks():
    return [pl.callbacks.StochasticWeightAveraging(swa_lrs=1e-2, swa_epoch_start=1)]


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 10), nn.BatchNorm1d(10), nn.ReLU(), nn.Linear(10, 3))

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.net(x), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(532)
    data = TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 3, (24,), generator=g))
    return DataLoader(data, batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "The averaged copy is no part of any loss.",
    "steps": 9, "all_grads_by_step": 1,
    "source": "own",
}
