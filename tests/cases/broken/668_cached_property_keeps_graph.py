# SPDX-License-Identifier: Apache-2.0
"""A cached property keeps the graph of the first step."""

import functools

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.item, self.user = nn.Embedding(12, 4), nn.Linear(5, 4)

    @functools.cached_property
    def catalogue(self):
        return F.normalize(self.item.weight, dim=1)  # <-- CAUSE

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.user(x) @ self.catalogue.T, y)  # <-- ALSO

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(668)
    x = torch.randn(24, 5, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 12, (24,), generator=g)), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "backward_error",
    "cause": "cached_property",
    "cause_alt": ["kept_graph", "retain_graph", "backward"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": None,
    "error": "backward through the graph a second time",
    "onset_step": 2,
    "source": "own",
    "notes": "",
}
