# SPDX-License-Identifier: Apache-2.0
"""Per-head losses from a comprehension are collected with torch.tensor and summed."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self, n_heads=3):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(6, 8), nn.LeakyReLU())
        self.heads = nn.ModuleList(nn.Linear(8, 1) for _ in range(n_heads))

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = self.body(x)
        losses = [F.smooth_l1_loss(head(h)[:, 0], y[:, i]) for i, head in enumerate(self.heads)]
        self.log_dict({f"head{i}": loss for i, loss in enumerate(losses)})
        return torch.tensor(losses).sum()  # <-- CAUSE

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(311)
    x = torch.randn(12, 6, generator=g)
    return DataLoader(TensorDataset(x, x[:, :3].sin()), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "no_grad_loss",
    "cause": "torch.tensor",
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": None,
    "source": "own",
    "notes": "torch.stack keeps the graph.",
}
