# SPDX-License-Identifier: Apache-2.0
"""Crowd counting: the density map is summed to whole persons before the absolute error."""

from dataclasses import dataclass

import pytorch_lightning as pl
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset


@dataclass
class CountLoss:
    cell_area: float = 1.0

    def __call__(self, density, count):
        persons = (density.sum(dim=(1, 2, 3)) / self.cell_area).int()  # <-- CAUSE
        return (persons - count).abs().float().mean()


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(), nn.Conv2d(3, 1, 1))
        self.loss = CountLoss(cell_area=0.5)

    def training_step(self, batch, batch_idx):
        img, mask = batch
        count = mask.flatten(1).sum(1)
        return self.loss(self.conv(img).exp(), count)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-4)


def dataloader():
    g = torch.Generator().manual_seed(318)
    x = torch.randn(8, 1, 5, 5, generator=g)
    return DataLoader(TensorDataset(x, (x[:, :1] > 0).float()), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "no_grad_loss",
    "cause": "Tensor.int",
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": "MeanAbsoluteError",
    "source": "own",
    "notes": "",
}
