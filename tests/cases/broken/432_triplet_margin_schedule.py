# SPDX-License-Identifier: Apache-2.0
"""The margin of a triplet loss shrinks below zero with the step: no triplet violates it."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class TripletLoss(nn.Module):
    def forward(self, anchor, pos, neg, margin):
        d_pos = (anchor - pos).pow(2).sum(1)
        d_neg = (anchor - neg).pow(2).sum(1)
        return F.relu(d_pos - d_neg + margin).mean()  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.embed = nn.Sequential(nn.Linear(5, 12), nn.ReLU(), nn.Linear(12, 4))
        self.loss = TripletLoss()

    def margin(self):
        return 10.0 - 8.0 * self.global_step  # <-- ALSO

    def training_step(self, batch, batch_idx):
        (x,) = batch
        a, p, n = (F.normalize(self.embed(v), dim=1) for v in (x, x + 0.1, x.roll(1, 0)))
        return self.loss(a, p, n, self.margin())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)


def dataloader():
    g = torch.Generator().manual_seed(432)
    x = torch.randn(12, 5, generator=g)
    return DataLoader(TensorDataset(x), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "zero",
    "cause": "relu",
    "cause_alt": ["F.relu"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": None,
    "onset_step": 3,
    "steps": 6,
    "source": "own",
    "notes": "",
}
