# SPDX-License-Identifier: Apache-2.0
"""Homoscedastic task weights enter the sum as math.exp of their Python value."""

import math

import pytorch_lightning as pl
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset


class MultiTask(nn.Module):
    def __init__(self, tasks):
        super().__init__()
        self.log_var = nn.ParameterDict({t: nn.Parameter(torch.zeros(())) for t in tasks})

    def forward(self, losses):
        return sum(
            math.exp(-self.log_var[t].item()) * loss + self.log_var[t].item()  # <-- CAUSE
            for t, loss in losses.items()
        )


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.shared = nn.Linear(5, 6)
        self.depth, self.normal = nn.Linear(6, 1), nn.Linear(6, 2)
        self.weigh = MultiTask(["depth", "normal"])

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = F.relu(self.shared(x))
        losses = {
            "depth": F.l1_loss(self.depth(h), y[:, :1]),
            "normal": 1 - F.cosine_similarity(self.normal(h), y[:, 1:]).mean(),
        }
        return self.weigh(losses)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(369)
    x = torch.randn(12, 5, generator=g)
    return DataLoader(TensorDataset(x, x[:, :3].sin()), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "Tensor.item",
    "line_marker": "# <-- CAUSE",
    "params": ["weigh.log_var.*"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
