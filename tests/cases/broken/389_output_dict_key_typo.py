# SPDX-License-Identifier: Apache-2.0
"""The mask head's output is fetched under another key and the default takes its place."""

from collections import OrderedDict

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Detector(nn.Module):
    def __init__(self):
        super().__init__()
        self.neck = nn.Linear(6, 8)
        self.heads = nn.ModuleDict({"box": nn.Linear(8, 4), "mask": nn.Linear(8, 5)})

    def forward(self, x):
        h = self.neck(x).relu()
        return OrderedDict((name, head(h)) for name, head in self.heads.items())  # <-- ALSO


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.detector = Detector()

    def training_step(self, batch, batch_idx):
        x, box = batch
        out = self.detector(x)
        mask = out.get("masks", x.new_zeros(len(x), 5))  # <-- CAUSE
        box_loss = F.smooth_l1_loss(out["box"], box)
        return box_loss + F.binary_cross_entropy_with_logits(mask, (x[:, :5] > 0).float())

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(389)
    x = torch.randn(12, 6, generator=g)
    return DataLoader(TensorDataset(x, x[:, :4].sin()), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "unused",
    "cause_alt": ["discarded"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": ["detector.heads.mask.*"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
