# SPDX-License-Identifier: Apache-2.0
"""Spearman correlation through double argsort in a static method of a loss namespace."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Corr:
    @staticmethod
    def rank(v):
        return v.argsort().argsort().float()  # <-- CAUSE

    @classmethod
    def spearman(cls, a, b):
        ra, rb = cls.rank(a), cls.rank(b)
        ra, rb = ra - ra.mean(), rb - rb.mean()
        return (ra * rb).sum() / (ra.norm() * rb.norm() + 1e-8)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.regressor = nn.Sequential(nn.Linear(5, 8), nn.Softplus(), nn.Linear(8, 1))

    def training_step(self, batch, batch_idx):
        x, y = batch
        return 1 - Corr.spearman(self.regressor(x)[:, 0], y[:, 0])

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(307)
    x = torch.randn(32, 5, generator=g)
    return DataLoader(TensorDataset(x, x[:, :1].sin()), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "no_grad_loss",
    "cause": "Tensor.argsort",
    "cause_alt": ["torch.argsort"],
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": "SpearmanCorrCoef",
    "source": "own",
    "notes": "",
}
