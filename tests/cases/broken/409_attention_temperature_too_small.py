# SPDX-License-Identifier: Apache-2.0
"""Attention with a temperature of 1e-9: the softmax is one-hot, q and k never learn."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class SharpAttention(nn.Module):
    def __init__(self, dim, temperature=1e-9):
        super().__init__()
        self.q = nn.Linear(dim, dim)
        self.k = nn.Linear(dim, dim)
        self.v = nn.Linear(dim, dim)
        self.temperature = temperature

    def forward(self, x):
        scores = torch.einsum("btd,bsd->bts", self.q(x), self.k(x)) / self.temperature  # <-- ALSO
        attn = scores.softmax(dim=-1)  # <-- CAUSE
        return torch.einsum("bts,bsd->btd", attn, self.v(x))


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.attn = SharpAttention(6)
        self.out = nn.Linear(6, 3)

    def training_step(self, batch, batch_idx):
        seq, y = batch
        return F.cross_entropy(self.out(self.attn(seq).mean(1)), y)

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=1e-3, weight_decay=0.0)


def dataloader():
    g = torch.Generator().manual_seed(409)
    x = torch.randn(12, 4, 6, generator=g)
    y = torch.randint(0, 3, (12,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "zero",
    "cause": "Tensor.softmax",
    "cause_alt": ["softmax", "div"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": ["attn.q.*", "attn.k.*"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
