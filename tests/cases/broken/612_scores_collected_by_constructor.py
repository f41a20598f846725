# SPDX-License-Identifier: Apache-2.0
"""Attention scores of the memory slots are collected with the torch.Tensor constructor."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.score = nn.Linear(4, 1)
        self.value = nn.Linear(4, 3)

    def attend(self, slots):
        scores = torch.Tensor([self.score(s) for s in slots])  # <-- CAUSE
        return (scores.softmax(0).unsqueeze(1) * self.value(slots)).sum(0)

    def training_step(self, batch, batch_idx):
        x, y = batch
        out = torch.stack([self.attend(slots) for slots in x])
        return F.cross_entropy(out, y)

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def dataloader():
    g = torch.Generator().manual_seed(612)
    x = torch.randn(12, 5, 4, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 3, (12,), generator=g)), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "torch.Tensor",
    "cause_alt": ["Tensor", "float", "Tensor.__float__"],
    "line_marker": "# <-- CAUSE",
    "params": ["score.*"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
