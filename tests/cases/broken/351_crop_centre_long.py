# SPDX-License-Identifier: Apache-2.0
"""A localisation head predicts a crop centre that is cast to integer pixel indices."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset


class Glimpse(nn.Module):
    def __init__(self, size=3):
        super().__init__()
        self.size = size
        self.locator = nn.Sequential(nn.Flatten(), nn.Linear(64, 2), nn.Sigmoid())

    def forward(self, img):
        room = img.shape[-1] - self.size
        corner = (self.locator(img) * room).long()  # <-- CAUSE
        crops = [
            im[:, r : r + self.size, c : c + self.size] for im, (r, c) in zip(img, corner.tolist())
        ]
        return torch.stack(crops)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.glimpse = Glimpse()
        self.head = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(4, 2))

    def training_step(self, batch, batch_idx):
        img, mask = batch
        y = (mask.flatten(1).mean(1) > 0.5).long()
        return F.cross_entropy(self.head(self.glimpse(img)), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(351)
    x = torch.randn(12, 1, 8, 8, generator=g)
    return DataLoader(TensorDataset(x, (x[:, :1] > 0).float()), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "Tensor.long",
    "cause_alt": ["Tensor.tolist"],
    "line_marker": "# <-- CAUSE",
    "params": ["glimpse.locator.*"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
