# SPDX-License-Identifier: Apache-2.0
"""Rotation from the SVD of an identity cross-covariance: equal singular values."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Align(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.mix = nn.Parameter(torch.eye(d))

    def forward(self, x):
        u, s, vh = torch.linalg.svd(self.mix)  # <-- CAUSE
        return x @ (u * s.softmax(0)) + x @ vh.triu()


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.align = Align(3)

    def training_step(self, batch, batch_idx):
        (x,) = batch
        return F.mse_loss(self.align(x), x.flip(1))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(651)
    x = torch.randn(24, 3, generator=g)
    return DataLoader(TensorDataset(x), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "nonfinite",
    "cause": "torch.linalg.svd",
    "cause_alt": ["linalg.svd", "torch.svd", "linalg_svd"],
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": None,
    "loss_finite": True,
    "steps": 1,
    "source": "own",
    "notes": "",
}
