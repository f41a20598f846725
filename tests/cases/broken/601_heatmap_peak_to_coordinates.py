# SPDX-License-Identifier: Apache-2.0
"""Landmarks are read from heatmaps by the place of the maximum instead of a soft argmax."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class PeakCoordinates(nn.Module):
    def forward(self, heat):
        b, k, h, w = heat.shape
        _, flat = heat.view(b, k, -1).max(dim=-1)  # <-- CAUSE
        return torch.stack([flat % w, flat // w], dim=-1) / torch.tensor([w - 1.0, h - 1.0])


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv2d(1, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, 2, 1))
        self.peaks = PeakCoordinates()

    def training_step(self, batch, batch_idx):
        points = self.peaks(self.backbone(batch[0]))
        return F.l1_loss(points, torch.full_like(points, 0.5))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(601)
    x = torch.randn(12, 1, 6, 6, generator=g)
    return DataLoader(TensorDataset(x), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "no_grad_loss",
    "cause": "Tensor.max",
    "cause_alt": ["torch.max"],
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": None,
    "source": "own",
    "notes": "",
}
