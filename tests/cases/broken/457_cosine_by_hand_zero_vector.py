# SPDX-License-Identifier: Apache-2.0
"""Cosine similarity without eps, one of the reference vectors is zero."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def cosine(a, b):
    num = (a * b).sum(-1)
    den = a.norm(dim=-1) * b.norm(dim=-1)
    return num / den  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.query = nn.Linear(5, 4, bias=False)
        self.register_buffer("anchors", torch.eye(4)[:3])
        self.anchors[2] = 0

    def training_step(self, batch, batch_idx):
        x, y = batch
        q = self.query(x)
        sims = torch.stack([cosine(q, a) for a in self.anchors], dim=1)
        return F.cross_entropy(sims / 0.1, y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(457)
    x = torch.randn(12, 5, generator=g)
    y = torch.randint(0, 2, (12,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "nonfinite",
    "cause": "div",
    "cause_alt": ["torch.div", "Tensor.div", "truediv"],
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": None,
    "loss_finite": False,
    "source": "own",
    "notes": "",
}
