# SPDX-License-Identifier: Apache-2.0
"""Histogram matching with torch.histc, whose result carries no gradient."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def histogram(img, bins=8):
    h = torch.histc(img, bins=bins, min=-3, max=3)  # <-- CAUSE
    return h / h.sum()


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.style = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 1, 1))

    def training_step(self, batch, batch_idx):
        (img,) = batch
        out = self.style(img)
        content = F.l1_loss(out, img)
        color = (histogram(out) - histogram(img.roll(1, 0))).abs().sum()
        loss = content
        loss = loss + 3.0 * color
        self.log("content", content)
        self.log("color", color)
        return loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(471)
    x = torch.randn(8, 1, 5, 5, generator=g)
    return DataLoader(TensorDataset(x), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "dead_term",
    "cause": "torch.histc",
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": None,
    "term": "color",
    "source": "own",
    "notes": "",
}
