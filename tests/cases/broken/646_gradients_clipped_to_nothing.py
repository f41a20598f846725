# SPDX-License-Identifier: Apache-2.0
"""Gradient clipping is overridden and called with a norm of zero."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self, max_norm=0.0):
        super().__init__()
        self.max_norm = max_norm
        self.net = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 1))

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.mse_loss(self.net(x)[:, 0], y)

    def configure_gradient_clipping(self, optimizer, gradient_clip_val=None, gradient_clip_algorithm=None):
        nn.utils.clip_grad_norm_(self.parameters(), self.max_norm)  # <-- CAUSE

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(646)
    x = torch.randn(24, 5, generator=g)
    return DataLoader(TensorDataset(x, torch.randn(24, generator=g)), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "zero",
    "cause": "clip_grad_norm_",
    "cause_alt": ["torch.nn.utils.clip_grad_norm_", "configure_gradient_clipping"],
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": None,
    "observe": "on_train_batch_end",
    "source": "own",
    "notes": "",
}
