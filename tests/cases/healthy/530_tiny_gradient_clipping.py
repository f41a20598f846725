# SPDX-License-Identifier: Apache-2.0
"""Gradients clipped to a very small norm, with a loss scaled down by a constant."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


TRAINER = {"gradient_clip_val": 1e-6, "gradient_clip_algorithm": "norm"}


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(5, 16), nn.Softplus(), nn.Linear(16, 1))

    def training_step(self, batch, batch_idx):
        x, y = batch
        return 1e-5 * F.huber_loss(self.net(x).squeeze(1), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3, eps=1e-12)


def dataloader():
    g = torch.Generator().manual_seed(530)
    data = TensorDataset(torch.randn(24, 5, generator=g), torch.randn(24, generator=g))
    return DataLoader(data, batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "Small is not zero, and Adam is indifferent to the scale.",
    "all_grads_by_step": 1,
    "source": "own",
}
