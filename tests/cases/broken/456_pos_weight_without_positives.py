# SPDX-License-Identifier: Apache-2.0
"""pos_weight is negatives over positives, and one label has no positive: inf * 0."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class MultiLabelLoss(nn.Module):
    def forward(self, logits, target):
        pos = target.sum(dim=0)
        neg = len(target) - pos
        weight = neg / pos  # <-- CAUSE
        return F.binary_cross_entropy_with_logits(logits, target, pos_weight=weight)  # <-- ALSO


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 9), nn.ReLU(), nn.Linear(9, 4))
        self.loss = MultiLabelLoss()

    def training_step(self, batch, batch_idx):
        x, y = batch
        return self.loss(self.net(x), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(456)
    y = torch.randint(0, 2, (12, 4), generator=g).float()
    y[:, 3] = 0
    return DataLoader(TensorDataset(torch.randn(12, 6, generator=g), y), batch_size=6)


EXPECT = {
    "verdict": "broken",
    "symptom": "nonfinite",
    "cause": "div",
    "cause_alt": ["binary_cross_entropy_with_logits"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": None,
    "loss_finite": False,
    "source": "own",
    "notes": "",
}
