# SPDX-License-Identifier: Apache-2.0
"""Geodesic loss with acos: the zero-initialised head predicts the identity, its singular point."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def to_quaternion(v):
    q = torch.cat([torch.ones_like(v[:, :1]), v], dim=1)
    return q / q.norm(dim=1, keepdim=True)


def geodesic(q, target):
    dot = (q * target).sum(dim=1).clamp(-1.0, 1.0)
    return 2 * torch.acos(dot)  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Linear(6, 10), nn.ReLU())
        self.rotation = nn.Linear(10, 3)
        nn.init.zeros_(self.rotation.weight)
        nn.init.zeros_(self.rotation.bias)

    def training_step(self, batch, batch_idx):
        (x,) = batch
        q = to_quaternion(self.rotation(self.features(x)))
        identity = torch.tensor([1.0, 0.0, 0.0, 0.0]).expand_as(q)
        return geodesic(q, identity).mean()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(444)
    x = torch.randn(12, 6, generator=g)
    return DataLoader(TensorDataset(x), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "nonfinite",
    "cause": "torch.acos",
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": None,
    "loss_finite": True,
    "source": "own",
    "notes": "",
}
