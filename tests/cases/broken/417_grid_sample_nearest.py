# SPDX-License-Identifier: Apache-2.0
"""Spatial transformer that resamples with mode="nearest": the localisation network gets zeros."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class SpatialTransformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.loc = nn.Linear(36, 6)
        nn.init.normal_(self.loc.weight, std=0.01)
        self.loc.bias.data.copy_(torch.tensor([0.9, 0.1, 0.0, -0.1, 0.9, 0.0]))

    def forward(self, img):
        theta = self.loc(img.flatten(1)).view(-1, 2, 3)
        grid = F.affine_grid(theta, img.shape, align_corners=False)
        return F.grid_sample(img, grid, mode="nearest", align_corners=False)  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.stn = SpatialTransformer()
        self.cnn = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3))

    def training_step(self, batch, batch_idx):
        img, y = batch
        return F.cross_entropy(self.cnn(self.stn(img)), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(417)
    img = torch.randn(12, 1, 6, 6, generator=g)
    return DataLoader(TensorDataset(img, torch.randint(0, 3, (12,), generator=g)), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "zero",
    "cause": "grid_sample",
    "cause_alt": ["torch.grid_sampler"],
    "line_marker": "# <-- CAUSE",
    "params": ["stn.loc.*"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
