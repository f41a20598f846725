# SPDX-License-Identifier: Apache-2.0
"""Inverse-distance weights behind torch.where: 1 / 0 on the diagonal still poisons backward."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class InverseDistance(nn.Module):
    def forward(self, p):
        d = (p[:, None] - p[None, :]).abs().sum(-1)
        w = torch.where(d > 0, 1.0 / d, torch.zeros_like(d))  # <-- CAUSE
        return w / w.sum(dim=1, keepdim=True)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.position = nn.Linear(4, 3)
        self.value = nn.Linear(4, 5)
        self.mix = InverseDistance()
        self.out = nn.Linear(5, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        mixed = self.mix(self.position(x)) @ self.value(x)
        return F.mse_loss(self.out(mixed).squeeze(1), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)


def dataloader():
    g = torch.Generator().manual_seed(447)
    x = torch.randn(15, 4, generator=g)
    return DataLoader(TensorDataset(x, torch.randn(15, generator=g)), batch_size=5)


EXPECT = {
    "verdict": "broken",
    "symptom": "nonfinite",
    "cause": "torch.where",
    "cause_alt": ["div", "reciprocal", "rdiv"],
    "line_marker": "# <-- CAUSE",
    "params": ["position.*"],
    "metric_like": None,
    "loss_finite": True,
    "source": "own",
    "notes": "",
}
