# SPDX-License-Identifier: Apache-2.0
"""Validity range in metres, data in millimetres: where keeps no pixel of the depth loss."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

MIN_DEPTH, MAX_DEPTH = 0.1, 80.0


class DepthLoss(nn.Module):
    def forward(self, pred, depth):
        valid = (depth > MIN_DEPTH) & (depth < MAX_DEPTH)  # <-- ALSO
        err = (pred - depth / 1000).abs()
        err = torch.where(valid, err, torch.zeros_like(err))  # <-- CAUSE
        return err.mean()


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.unet = nn.Sequential(
            nn.Conv2d(1, 6, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(6, 1, 3, padding=1),
            nn.Softplus(),
        )
        self.criterion = DepthLoss()

    def training_step(self, batch, batch_idx):
        (img,) = batch
        depth = 1000 + 500 * img.abs()
        return self.criterion(self.unet(img), depth)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(421)
    x = torch.randn(8, 1, 5, 5, generator=g)
    return DataLoader(TensorDataset(x), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "zero",
    "cause": "torch.where",
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": None,
    "loss_finite": True,
    "source": "own",
    "notes": "",
}
