# SPDX-License-Identifier: Apache-2.0
"""Generated weights are wrapped in nn.Parameter before the functional call."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset


class HyperLinear(nn.Module):
    def __init__(self, ctx, i, o):
        super().__init__()
        self.shape = (o, i)
        self.generator = nn.Sequential(nn.Linear(ctx, 8), nn.ReLU(), nn.Linear(8, i * o))
        self.bias = nn.Parameter(torch.zeros(o))

    def forward(self, ctx, x):
        w = self.generator(ctx).view(*self.shape)
        return F.linear(x, nn.Parameter(w), self.bias)  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.task = nn.Embedding(1, 3)
        self.layer = HyperLinear(3, 4, 2)

    def training_step(self, batch, batch_idx):
        x, y = batch
        ctx = self.task.weight[0]
        return F.mse_loss(self.layer(ctx, x), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(357)
    x = torch.randn(12, 4, generator=g)
    return DataLoader(TensorDataset(x, x[:, :2].sin()), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "nn.Parameter",
    "cause_alt": ["torch.nn.Parameter", "Parameter"],
    "line_marker": "# <-- CAUSE",
    "params": ["task.weight", "layer.generator.*"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
