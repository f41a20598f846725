# SPDX-License-Identifier: Apache-2.0
"""Pairwise distances by hand: the diagonal is zero and the derivative of sqrt there is infinite."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def pairwise_distance(z):
    sq = (z.unsqueeze(1) - z.unsqueeze(0)).pow(2).sum(-1)
    return sq.sqrt()  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.embed = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 2))

    def stress(self, x):
        target = torch.cdist(x, x)
        return (pairwise_distance(self.embed(x)) - target).pow(2).mean()

    def training_step(self, batch, batch_idx):
        (x,) = batch
        return self.stress(x)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(440)
    x = torch.randn(12, 6, generator=g)
    return DataLoader(TensorDataset(x), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "nonfinite",
    "cause": "Tensor.sqrt",
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": None,
    "loss_finite": True,
    "source": "own",
    "notes": "",
}
