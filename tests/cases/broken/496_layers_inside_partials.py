# SPDX-License-Identifier: Apache-2.0
"""Scale-specific heads are bound into functools.partial objects and kept in a list."""

import functools

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def apply_head(pool, head, h):
    return head(pool(h).flatten(1))


class Pyramid(nn.Module):
    def __init__(self, ch, classes, scales=(1, 2)):
        super().__init__()
        self.levels = []
        for s in scales:
            head = nn.Linear(ch * s * s, classes)  # <-- ALSO
            self.levels.append(  # <-- CAUSE
                functools.partial(apply_head, nn.AdaptiveAvgPool2d(s), head),
            )

    def forward(self, h):
        return torch.stack([level(h) for level in self.levels]).mean(0)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)
        self.pyramid = Pyramid(4, 3)

    def training_step(self, batch, batch_idx):
        img, y = batch
        return F.cross_entropy(self.pyramid(F.relu(self.conv(img))), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(496)
    img = torch.randn(12, 1, 6, 6, generator=g)
    return DataLoader(TensorDataset(img, torch.randint(0, 3, (12,), generator=g)), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "not_registered",
    "cause": "python_list",
    "cause_alt": ["functools.partial"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": ["pyramid.levels.*"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
