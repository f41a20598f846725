# SPDX-License-Identifier: Apache-2.0
"""Precision and recall through boolean algebra and Tensor.bool()."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class ConfusionCounts:
    def __init__(self, pred, true):
        self.pred, self.true = pred, true

    @property
    def tp(self):
        return (self.pred & self.true).sum()

    @property
    def fp(self):
        return (self.pred & ~self.true).sum()

    @property
    def fn(self):
        return (~self.pred & self.true).sum()

    @property
    def precision(self):
        return self.tp / (self.tp + self.fp).clamp(min=1)

    @property
    def recall(self):
        return self.tp / (self.tp + self.fn).clamp(min=1)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.detector = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 1), nn.ReLU())

    def training_step(self, batch, batch_idx):
        x, y = batch
        counts = ConfusionCounts(self.detector(x).squeeze(-1).bool(), y.bool())  # <-- CAUSE
        return 2 - counts.precision - counts.recall

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(335)
    x = torch.randn(20, 4, generator=g)
    return DataLoader(TensorDataset(x, (x[:, 0] > 0).float()), batch_size=5)


EXPECT = {
    "verdict": "broken",
    "symptom": "no_grad_loss",
    "cause": "Tensor.bool",
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": "BinaryPrecision",
    "source": "own",
    "notes": "",
}
