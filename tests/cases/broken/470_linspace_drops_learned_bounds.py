# SPDX-License-Identifier: Apache-2.0
"""A term over learned bin edges from torch.linspace, which drops the graph of its ends."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class SoftBins(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.low = nn.Parameter(torch.tensor(-1.0))
        self.high = nn.Parameter(torch.tensor(1.0))
        self.logits = nn.Linear(5, n)
        self.n = n

    def centers(self):
        return torch.linspace(self.low, self.high, self.n)  # <-- CAUSE

    def forward(self, x):
        t = torch.arange(self.n) / (self.n - 1)
        grid = self.low + (self.high - self.low) * t
        return self.logits(x).softmax(-1) @ grid


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.bins = SoftBins(6)

    def training_step(self, batch, batch_idx):
        x, y = batch
        spread = (self.bins.centers().abs().max() - y.abs().max()).pow(2)
        self.log("spread", spread)
        return F.mse_loss(self.bins(x), y) + 0.1 * spread

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(470)
    x = torch.randn(12, 5, generator=g)
    return DataLoader(TensorDataset(x, torch.randn(12, generator=g)), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "dead_term",
    "cause": "torch.linspace",
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": None,
    "term": "spread",
    "source": "own",
    "notes": "",
}
