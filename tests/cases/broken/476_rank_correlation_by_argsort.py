# SPDX-License-Identifier: Apache-2.0
"""A Spearman term from double argsort ranks."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def ranks(v):
    return v.argsort().argsort().float()  # <-- CAUSE


def spearman(a, b):
    a, b = ranks(a), ranks(b)
    a, b = a - a.mean(), b - b.mean()
    return (a * b).sum() / (a.norm() * b.norm())


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.scorer = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 1))

    def training_step(self, batch, batch_idx):
        x, y = batch
        s = self.scorer(x).view(-1)
        rank_loss = 1 - spearman(s, y)
        self.log("rank_loss", rank_loss)
        return F.huber_loss(s, y) + rank_loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(476)
    x = torch.randn(18, 5, generator=g)
    return DataLoader(TensorDataset(x, torch.randn(18, generator=g)), batch_size=6)


EXPECT = {
    "verdict": "broken",
    "symptom": "dead_term",
    "cause": "Tensor.argsort",
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": "SpearmanCorrCoef",
    "term": "rank_loss",
    "source": "own",
    "notes": "",
}
