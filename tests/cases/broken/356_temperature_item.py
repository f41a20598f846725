# SPDX-License-Identifier: Apache-2.0
"""Contrastive loss whose learned logit scale is read as a Python number by a property."""

import pytorch_lightning as pl
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset


class ClipHead(nn.Module):
    def __init__(self):
        super().__init__()
        self.logit_scale = nn.Parameter(torch.tensor(2.0))

    @property
    def scale(self):
        return self.logit_scale.exp().item()  # <-- CAUSE

    def forward(self, a, b):
        a, b = F.normalize(a, dim=-1), F.normalize(b, dim=-1)
        return min(self.scale, 100.0) * a @ b.T  # <-- ALSO


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.image, self.text = nn.Linear(6, 4), nn.Linear(6, 4)
        self.head = ClipHead()

    def training_step(self, batch, batch_idx):
        (x,) = batch
        logits = self.head(self.image(x), self.text(x + torch.randn_like(x)))
        y = torch.arange(len(x))
        return (F.cross_entropy(logits, y) + F.cross_entropy(logits.T, y)) / 2

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(356)
    return DataLoader(TensorDataset(torch.randn(16, 6, generator=g)), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "Tensor.item",
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": ["head.logit_scale"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
