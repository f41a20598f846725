# SPDX-License-Identifier: Apache-2.0
"""The projection head lives only in the closure of a lambda."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def make_projector(d, out):
    first, last = nn.Linear(d, d), nn.Linear(d, out)  # <-- ALSO
    return lambda h: last(first(h).relu())  # <-- ALSO


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc = nn.Linear(6, 8)
        self.project = make_projector(8, 4)  # <-- CAUSE

    def training_step(self, batch, batch_idx):
        (x,) = batch
        a = F.normalize(self.project(self.enc(x).relu()), dim=1)
        b = F.normalize(self.project(self.enc(x + 0.1).relu()), dim=1)
        return F.cross_entropy(a @ b.T / 0.2, torch.arange(len(x)))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(680)
    x = torch.randn(24, 6, generator=g)
    return DataLoader(TensorDataset(x), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "not_registered",
    "cause": "closure",
    "cause_alt": ["lambda", "function", "python_closure"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": ["*"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
