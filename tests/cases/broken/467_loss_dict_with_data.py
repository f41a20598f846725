# SPDX-License-Identifier: Apache-2.0
"""Losses are collected in a dict for logging; one of them was stored through .data."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Tracker(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(4, 8, batch_first=True)
        self.velocity = nn.Linear(8, 4)

    def forward(self, seq):
        return self.velocity(self.gru(seq)[0])


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.tracker = Tracker()
        self.weights = {"position": 1.0, "smooth": 0.2}

    def compute_losses(self, seq):
        v = self.tracker(seq[:, :-1])
        losses = {}
        losses["position"] = F.smooth_l1_loss(seq[:, :-1] + v, seq[:, 1:])
        losses["smooth"] = (v[:, 1:] - v[:, :-1]).pow(2).mean().data  # <-- CAUSE
        return losses

    def training_step(self, batch, batch_idx):
        losses = self.compute_losses(batch[0])
        for name, value in losses.items():
            self.log(name, value)
        return sum(self.weights[k] * v for k, v in losses.items())

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(467)
    x = torch.randn(12, 6, 4, generator=g)
    return DataLoader(TensorDataset(x), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "dead_term",
    "cause": "Tensor.data",
    "cause_alt": ["data", "detach"],
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": None,
    "term": "smooth",
    "source": "own",
    "notes": "",
}
