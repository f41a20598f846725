# SPDX-License-Identifier: Apache-2.0
"""The scalar loss is put into nn.Parameter so that backward accepts it."""

import pytorch_lightning as pl
import torch
import torch.nn as nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset


def as_objective(value):
    return nn.Parameter(value, requires_grad=True)  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.a = nn.Bilinear(3, 3, 2)

    def training_step(self, batch, batch_idx):
        x, y = batch
        out = self.a(x, x.flip(1))
        return as_objective(F.huber_loss(out, y))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(342)
    x = torch.randn(12, 3, generator=g)
    return DataLoader(TensorDataset(x, x[:, :2].sin()), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "leaf_loss",
    "cause": "nn.Parameter",
    "cause_alt": ["torch.nn.Parameter", "Parameter"],
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": None,
    "source": "own",
    "notes": "",
}
