# SPDX-License-Identifier: Apache-2.0
"""A hardsigmoid highway gate starts at a bias of -10: gate and branch are off for good."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Highway(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.branch = nn.Linear(dim, dim)
        self.gate = nn.Linear(dim, dim)
        self.gate.bias.data.fill_(-10.0)  # <-- ALSO

    def forward(self, x):
        g = F.hardsigmoid(self.gate(x))  # <-- CAUSE
        return g * torch.tanh(self.branch(x)) + (1 - g) * x


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(5, 6), Highway(6), nn.Linear(6, 1))

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.huber_loss(self.layers(x).squeeze(-1), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(434)
    x = torch.randn(12, 5, generator=g)
    return DataLoader(TensorDataset(x, torch.randn(12, generator=g)), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "zero",
    "cause": "hardsigmoid",
    "cause_alt": ["F.hardsigmoid"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": ["layers.1.gate.*", "layers.1.branch.*"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
