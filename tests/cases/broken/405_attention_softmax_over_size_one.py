# SPDX-License-Identifier: Apache-2.0
"""Attention pooling normalises over the score dimension of size one instead of over time."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class AttentionPool(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.proj = nn.Linear(dim, dim)
        self.score = nn.Linear(dim, 1)

    def forward(self, h):
        energy = self.score(torch.tanh(self.proj(h)))
        weight = F.softmax(energy, dim=-1)  # <-- CAUSE
        return (weight * h).sum(dim=1)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTM(4, 6, batch_first=True)
        self.pool = AttentionPool(6)
        self.fc = nn.Linear(6, 3)

    def training_step(self, batch, batch_idx):
        seq, y = batch
        h, _ = self.rnn(seq)
        return F.cross_entropy(self.fc(self.pool(h)), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(405)
    x = torch.randn(12, 5, 4, generator=g)
    y = torch.randint(0, 3, (12,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "zero",
    "cause": "softmax",
    "cause_alt": ["torch.softmax"],
    "line_marker": "# <-- CAUSE",
    "params": ["pool.proj.*", "pool.score.*"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
