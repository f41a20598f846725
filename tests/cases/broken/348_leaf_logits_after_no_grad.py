# SPDX-License-Identifier: Apache-2.0
"""Logits computed under no_grad are given requires_grad_() before the criterion."""

from contextlib import contextmanager

import pytorch_lightning as pl
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset


@contextmanager
def low_memory():
    with torch.no_grad():  # <-- CAUSE
        yield


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.tower = nn.Sequential(nn.Linear(6, 6), nn.LayerNorm(6), nn.ReLU(), nn.Linear(6, 4))
        self.criterion = nn.MultiMarginLoss()

    def training_step(self, batch, batch_idx):
        x, y = batch
        with low_memory():  # <-- ALSO
            logits = self.tower(x)  # <-- ALSO
        logits.requires_grad_()  # <-- ALSO
        return self.criterion(logits, y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(348)
    x = torch.randn(16, 6, generator=g)
    y = torch.randint(0, 4, (16,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "leaf_loss",
    "cause": "no_grad",
    "cause_alt": ["torch.no_grad", "requires_grad_", "Tensor.requires_grad_"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": None,
    "source": "own",
    "notes": "",
}
