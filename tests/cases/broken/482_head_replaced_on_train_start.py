# SPDX-License-Identifier: Apache-2.0
"""The classifier is swapped in on_train_start, after the optimizer was built."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Backbone(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(6, 10), nn.ReLU())
        self.fc = nn.Linear(10, 1000)

    def forward(self, x):
        return self.fc(self.body(x))


class Model(pl.LightningModule):
    def __init__(self, num_classes=4):
        super().__init__()
        self.num_classes = num_classes
        self.net = Backbone()

    def on_train_start(self):
        width = self.net.fc.in_features
        self.net.fc = nn.Linear(width, self.num_classes)  # <-- CAUSE

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.net(x), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(482)
    x = torch.randn(12, 6, generator=g)
    y = torch.randint(0, 4, (12,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "not_optimized",
    "cause": "optimizer_params",
    "cause_alt": ["replaced"],
    "line_marker": "# <-- CAUSE",
    "params": ["net.fc.*"],
    "metric_like": None,
    "replaced": True,
    "source": "own",
    "notes": "",
}
