# SPDX-License-Identifier: Apache-2.0
"""Losses are kept in a dictionary, logged as items, and summed; the normaliser is a number."""

import statistics

import numpy as np
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.stem = nn.Linear(6, 8)
        self.heads = nn.ModuleDict({"seg": nn.Linear(8, 3), "depth": nn.Linear(8, 1)})
        self.history = {}

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = self.stem(x).relu()
        losses = {
            "seg": F.cross_entropy(self.heads["seg"](h), y),
            "depth": F.l1_loss(self.heads["depth"](h)[:, 0], x.sum(1)),
        }
        for k, v in losses.items():
            self.history.setdefault(k, []).append(v.item())
        scale = {k: 1 / max(np.mean(v), 1e-3) for k, v in self.history.items()}
        total = sum((scale[k] * v for k, v in losses.items()), 0.0)
        self.log("plain", statistics.mean(v.item() for v in losses.values()))
        return {"loss": total, "parts": {k: v.detach() for k, v in losses.items()}}

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.02, momentum=0.9)


def dataloader():
    g = torch.Generator().manual_seed(714)
    x = torch.randn(24, 6, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 3, (24,), generator=g)), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "Every summed value is the tensor, the numbers go to the log.",
    "all_grads_by_step": 1,
    "source": "own",
}
