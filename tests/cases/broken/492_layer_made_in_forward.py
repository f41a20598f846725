# SPDX-License-Identifier: Apache-2.0
"""The classifier is created inside forward: fresh random weights at every call."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self, classes=3):
        super().__init__()
        self.classes = classes
        self.body = nn.Sequential(nn.Linear(6, 8), nn.ReLU())

    def forward(self, x):
        h = self.body(x)
        classifier = nn.Linear(h.size(1), self.classes)  # <-- CAUSE
        return classifier(h)  # <-- ALSO

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self(x), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(492)
    x = torch.randn(12, 6, generator=g)
    y = torch.randint(0, 3, (12,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "not_registered",
    "cause": "created_in_forward",
    "cause_alt": ["linear", "nn.Linear"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": ["classifier.*"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
