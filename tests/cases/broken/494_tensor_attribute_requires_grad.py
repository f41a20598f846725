# SPDX-License-Identifier: Apache-2.0
"""A learned temperature is a plain tensor with requires_grad=True."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class CosineClassifier(nn.Module):
    def __init__(self, dim, classes):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(classes, dim))
        self.scale = torch.ones(1, requires_grad=True)  # <-- CAUSE

    def forward(self, x):
        return self.scale * F.linear(F.normalize(x), F.normalize(self.weight))


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(6, 5)
        self.cosine = CosineClassifier(5, 3)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.cosine(self.embed(x)), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(494)
    x = torch.randn(12, 6, generator=g)
    y = torch.randint(0, 3, (12,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "not_registered",
    "cause": "plain_tensor",
    "cause_alt": ["requires_grad=True", "torch.ones"],
    "line_marker": "# <-- CAUSE",
    "params": ["cosine.scale"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
