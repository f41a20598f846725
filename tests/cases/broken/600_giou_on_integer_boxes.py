# SPDX-License-Identifier: Apache-2.0
"""Generalised IoU between boxes that were snapped to whole pixels."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def to_pixels(boxes, size):
    return (boxes * size).round().int()  # <-- CAUSE


def giou(a, b):
    lt, rb = torch.maximum(a[:, :2], b[:, :2]), torch.minimum(a[:, 2:], b[:, 2:])
    inter = (rb - lt).clamp(min=0).prod(1)
    area = (a[:, 2:] - a[:, :2]).prod(1) + (b[:, 2:] - b[:, :2]).prod(1)
    union = area - inter
    hull = (torch.maximum(a[:, 2:], b[:, 2:]) - torch.minimum(a[:, :2], b[:, :2])).prod(1)
    return inter / (union + 1e-6) - (hull - union) / (hull + 1e-6)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Linear(8, 16), nn.ReLU())
        self.box = nn.Linear(16, 4)

    def forward(self, x):
        xy, wh = self.box(self.features(x)).sigmoid().chunk(2, -1)
        return torch.cat([xy, xy + wh], -1)

    def training_step(self, batch, batch_idx):
        x = batch[0]
        target = torch.tensor([[0.1, 0.1, 0.6, 0.7]]).repeat(len(x), 1)
        score = giou(to_pixels(self(x), 64), to_pixels(target, 64))
        return (1 - score).mean()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(600)
    x = torch.randn(24, 8, generator=g)
    return DataLoader(TensorDataset(x), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "no_grad_loss",
    "cause": "Tensor.int",
    "cause_alt": ["Tensor.round", "torch.round"],
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": "GeneralizedIntersectionOverUnion",
    "source": "own",
    "notes": "",
}
