# SPDX-License-Identifier: Apache-2.0
"""Uncertainty weights are created in on_train_start, later than the optimizer."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class UncertaintyWeights(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.log_var = nn.Parameter(torch.zeros(n))

    def forward(self, losses):
        losses = torch.stack(losses)
        return (torch.exp(-self.log_var) * losses + self.log_var).sum()


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Linear(6, 8)
        self.tasks = nn.ModuleList([nn.Linear(8, 1), nn.Linear(8, 6)])

    def on_train_start(self):
        self.balance = UncertaintyWeights(len(self.tasks)).to(self.device)  # <-- CAUSE

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = torch.relu(self.trunk(x))
        losses = [F.mse_loss(self.tasks[0](h)[:, 0], y), F.l1_loss(self.tasks[1](h), x)]
        return self.balance(losses)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(485)
    x = torch.randn(12, 6, generator=g)
    return DataLoader(TensorDataset(x, torch.randn(12, generator=g)), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "not_optimized",
    "cause": "optimizer_params",
    "cause_alt": ["added"],
    "line_marker": "# <-- CAUSE",
    "params": ["balance.*"],
    "metric_like": None,
    "replaced": True,
    "source": "own",
    "notes": "",
}
