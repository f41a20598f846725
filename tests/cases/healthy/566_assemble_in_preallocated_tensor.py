# SPDX-License-Identifier: Apache-2.0
"""The output is collected in torch.zeros and new_empty by slices, integer lists and masks."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(2, 3), nn.Linear(2, 3), nn.Linear(2, 3)
        self.out = nn.Linear(3, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        parts = torch.zeros(len(x), 3, 3)
        parts[:, 0] = self.a(x[:, :2])
        parts[:, [1]] = self.b(x[:, 2:4])[:, None]
        far = x[:, 4] > 0
        parts[far, 2] = self.c(x[far, 4:])
        pred = x.new_empty(len(x))
        for i in range(len(x)):
            pred[i] = self.out(torch.tanh(parts[i].sum(0))).squeeze()
        return F.mse_loss(pred, y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(566)
    data = TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, generator=g))
    return DataLoader(data, batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "Writing differentiable values into a constant tensor is differentiable.",
    "all_grads_by_step": 1,
    "source": "own",
}
