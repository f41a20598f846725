# SPDX-License-Identifier: Apache-2.0
"""Class centres are registered as a buffer with requires_grad=True instead of as a parameter."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class CenterLoss(nn.Module):
    def __init__(self, classes, dim):
        super().__init__()
        self.register_buffer("centers", torch.randn(classes, dim, requires_grad=True))  # <-- CAUSE

    def forward(self, z, y):
        return (z - self.centers[y]).pow(2).sum(1).mean()


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.embed = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 4))
        self.cls = nn.Linear(4, 3)
        self.center_loss = CenterLoss(3, 4)

    def training_step(self, batch, batch_idx):
        x, y = batch
        z = self.embed(x)
        return F.cross_entropy(self.cls(z), y) + 0.01 * self.center_loss(z, y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(497)
    x = torch.randn(12, 6, generator=g)
    y = torch.randint(0, 3, (12,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "not_registered",
    "cause": "buffer",
    "cause_alt": ["register_buffer"],
    "line_marker": "# <-- CAUSE",
    "params": ["center_loss.centers"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
