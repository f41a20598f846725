# SPDX-License-Identifier: Apache-2.0
"""A callback keeps averaged weights and swaps them in for validation."""

import copy

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Average(pl.Callback):
    def on_fit_start(self, trainer, pl_module):
        self.mean = {k: v.clone() for k, v in pl_module.state_dict().items()}

    @torch.no_grad()
    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        for k, v in pl_module.state_dict().items():
            self.mean[k].mul_(0.9).add_(v, alpha=0.1)

    def on_validation_start(self, trainer, pl_module):
        self.kept = copy.deepcopy(pl_module.state_dict())
        pl_module.load_state_dict(self.mean)

    def on_validation_end(self, trainer, pl_module):
        pl_module.load_state_dict(self.kept)


def callbacks():
    return [Average()]


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(5, 8), nn.ReLU6(), nn.Linear(8, 1))

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.mse_loss(self.net(x).squeeze(1), y)

    def validation_step(self, batch, batch_idx):
        x, y = batch
        self.log("val", F.mse_loss(self.net(x).squeeze(1), y))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(595)
    data = TensorDataset(torch.randn(24, 5, generator=g), torch.randn(24, generator=g))
    return DataLoader(data, batch_size=8)


def val_dataloader():
    g = torch.Generator().manual_seed(596)
    data = TensorDataset(torch.randn(8, 5, generator=g), torch.randn(8, generator=g))
    return DataLoader(data, batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "Weights are exchanged between the epochs, by copies into the same parameters.",
    "steps": 6, "all_grads_by_step": 1,
    "source": "own",
}
