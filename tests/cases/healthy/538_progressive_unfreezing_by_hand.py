# SPDX-License-Identifier: Apache-2.0
"""Layers are switched to requires_grad from the top down, one per epoch; all sit in the optimizer from the start."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 3)])
        for layer in self.layers[:-1]:
            layer.requires_grad_(False)

    def on_train_epoch_start(self):
        for layer in self.layers[max(0, 2 - self.current_epoch):]:
            layer.requires_grad_(True)

    def training_step(self, batch, batch_idx):
        x, y = batch
        for layer in self.layers[:-1]:
            x = torch.tanh(layer(x))
        return F.cross_entropy(self.layers[-1](x), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(538)
    data = TensorDataset(torch.randn(16, 6, generator=g), torch.randint(0, 3, (16,), generator=g))
    return DataLoader(data, batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "A frozen layer is not expected to have a gradient; each gets one in the epoch that frees it.",
    "steps": 6, "all_grads_by_step": 5, "late": {"layers.1.*": 3, "layers.0.*": 5},
    "source": "own",
}
