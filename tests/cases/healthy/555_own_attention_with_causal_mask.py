# SPDX-License-Identifier: Apache-2.0
"""Attention with separate projections and a causal mask next to nn.MultiheadAttention with key padding."""

import math

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(12, 8)
        self.q, self.k, self.v = (nn.Linear(8, 8) for _ in range(3))
        self.mha = nn.MultiheadAttention(8, 2, batch_first=True)
        self.out = nn.Linear(8, 12)

    def training_step(self, batch, batch_idx):
        (tok,) = batch
        h = self.emb(tok[:, :-1])
        causal = torch.ones(h.shape[1], h.shape[1], dtype=torch.bool).triu(1)
        score = self.q(h) @ self.k(h).transpose(1, 2) / math.sqrt(8)
        h = h + score.masked_fill(causal, float("-inf")).softmax(-1) @ self.v(h)
        pad = torch.zeros(h.shape[:2], dtype=torch.bool)
        pad[::2, -1] = True
        h = h + self.mha(h, h, h, attn_mask=causal, key_padding_mask=pad, need_weights=False)[0]
        return F.cross_entropy(self.out(h).transpose(1, 2), tok[:, 1:])

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(555)
    return DataLoader(TensorDataset(torch.randint(0, 12, (24, 6), generator=g)), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "The key bias shifts all scores of a query alike: its gradient is zero on paper and rounding noise in fact.",
    "all_grads_by_step": 1, "never": ["k.bias"],
    "source": "own",
}
