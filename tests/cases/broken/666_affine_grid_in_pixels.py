# SPDX-License-Identifier: Apache-2.0
"""The translation of a spatial transformer is given in pixels; every sample lies outside."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.loc = nn.Sequential(nn.Flatten(), nn.Linear(36, 2), nn.Sigmoid())
        self.cls = nn.Linear(36, 3)

    def crop(self, img):
        shift = 8 + 24 * self.loc(img)  # <-- ALSO
        theta = torch.cat([torch.eye(2).expand(len(img), 2, 2), shift[..., None]], -1)
        return F.grid_sample(img, F.affine_grid(theta, img.shape, align_corners=False), align_corners=False)  # <-- CAUSE

    def training_step(self, batch, batch_idx):
        img, y = batch
        patch = self.crop(img).flatten(1)
        return F.cross_entropy(self.cls(patch + 0.1 * img.flatten(1)), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def dataloader():
    g = torch.Generator().manual_seed(666)
    x = torch.randn(12, 1, 6, 6, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 3, (12,), generator=g)), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "zero",
    "cause": "grid_sample",
    "cause_alt": ["torch.nn.functional.grid_sample", "F.grid_sample", "torch.grid_sampler"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": ["loc.*"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
