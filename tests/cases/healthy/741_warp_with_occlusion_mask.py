# SPDX-License-Identifier: Apache-2.0
"""Optical flow by grid_sample, with a hard validity mask from the integer target position."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.flow = nn.Conv2d(2, 2, 3, padding=1)

    def training_step(self, batch, batch_idx):
        (pair,) = batch
        a, b = pair[:, :1], pair[:, 1:]
        h, w = a.shape[-2:]
        flow = self.flow(pair)
        ys, xs = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
        px, py = xs + flow[:, 0], ys + flow[:, 1]
        inside = ((px.round().long() >= 0) & (px.round().long() < w) & (py >= 0) & (py <= h - 1)).float()
        grid = torch.stack([2 * px / (w - 1) - 1, 2 * py / (h - 1) - 1], -1)
        err = (F.grid_sample(a, grid, padding_mode="border", align_corners=True) - b).abs()[:, 0]
        return (err * inside).sum() / inside.sum().clamp(min=1)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(741)
    x = torch.randn(12, 2, 6, 6, generator=g)
    return DataLoader(TensorDataset(x), batch_size=4)


EXPECT = {
    "verdict": "healthy",
    "why": "The mask is a constant factor; the sampling positions are differentiable.",
    "all_grads_by_step": 1,
    "source": "own",
}
