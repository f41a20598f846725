# SPDX-License-Identifier: Apache-2.0
"""Colour matching by the distance of torch.histc histograms."""

import pytorch_lightning as pl
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset


def colour_histogram(img, bins=8):
    per_channel = [torch.histc(c, bins=bins, min=0.0, max=1.0) for c in img.unbind(1)]  # <-- CAUSE
    hist = torch.stack(per_channel)
    return hist / hist.sum(dim=1, keepdim=True)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        layers = nn.Conv2d(3, 6, 1), nn.Tanh(), nn.Conv2d(6, 3, 1), nn.Sigmoid()
        self.stylise = nn.Sequential(*layers)

    def training_step(self, batch, batch_idx):
        src, ref = batch
        gap = colour_histogram(self.stylise(src)) - colour_histogram(ref)
        return gap.abs().sum(dim=1).mean()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(320)
    return DataLoader(
        TensorDataset(torch.rand(8, 3, 4, 4, generator=g), torch.rand(8, 3, 4, 4, generator=g)),
        batch_size=2,
    )


EXPECT = {
    "verdict": "broken",
    "symptom": "no_grad_loss",
    "cause": "torch.histc",
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": None,
    "source": "own",
    "notes": "histc gives a tensor without graph, histogram raises in backward.",
}
