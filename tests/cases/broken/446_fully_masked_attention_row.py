# SPDX-License-Identifier: Apache-2.0
"""Attention with -inf masks where one sequence of the batch consists of padding only."""

import math

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class MaskedAttention(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.qkv = nn.Linear(dim, 3 * dim)

    def forward(self, x, pad):
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        score = q @ k.transpose(1, 2) / math.sqrt(q.size(-1))
        score = score.masked_fill(pad[:, None, :], float("-inf"))  # <-- ALSO
        return torch.softmax(score, dim=-1) @ v  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(9, 6, padding_idx=0)
        self.attn = MaskedAttention(6)
        self.out = nn.Linear(6, 2)

    def training_step(self, batch, batch_idx):
        tokens, y = batch
        h = self.attn(self.emb(tokens), tokens == 0)
        return F.cross_entropy(self.out(h[:, 0]), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(446)
    tokens = torch.randint(1, 9, (12, 5), generator=g)
    tokens[::4] = 0
    return DataLoader(TensorDataset(tokens, torch.randint(0, 2, (12,), generator=g)), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "nonfinite",
    "cause": "torch.softmax",
    "cause_alt": ["masked_fill"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": ["attn.*", "out.*"],
    "metric_like": None,
    "loss_finite": False,
    "source": "own",
    "notes": "The padded row of the embedding gets no gradient, so `emb` stays finite at step 0.",
}
