# SPDX-License-Identifier: Apache-2.0
"""repackage_hidden by .data in a comprehension cuts the learned initial state of an LSTM."""

import pytorch_lightning as pl
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset


def repackage(hidden):
    return tuple(s.data for s in hidden)  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.h0 = nn.Parameter(torch.randn(1, 1, 6))
        self.c0 = nn.Parameter(torch.randn(1, 1, 6))
        self.lstm = nn.LSTM(3, 6, batch_first=True)
        self.fc = nn.Linear(6, 4)

    def training_step(self, batch, batch_idx):
        x, y = batch
        start = tuple(s.expand(-1, len(x), -1).contiguous() for s in (self.h0, self.c0))
        _, (h, _) = self.lstm(x, repackage(start))
        return F.cross_entropy(self.fc(h.squeeze(0)), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(350)
    x = torch.randn(12, 5, 3, generator=g)
    y = torch.randint(0, 4, (12,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "Tensor.data",
    "line_marker": "# <-- CAUSE",
    "params": ["h0", "c0"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
