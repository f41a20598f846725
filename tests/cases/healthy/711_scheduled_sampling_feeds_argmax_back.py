# SPDX-License-Identifier: Apache-2.0
"""A decoder feeds its own argmax back with some probability."""

import random

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self, vocab=10, d=8):
        super().__init__()
        self.emb = nn.Embedding(vocab, d)
        self.enc = nn.GRU(d, d, batch_first=True)
        self.cell, self.out = nn.GRUCell(d, d), nn.Linear(d, vocab)
        self.coin = random.Random(0)

    def training_step(self, batch, batch_idx):
        src, tgt = batch
        h = self.enc(self.emb(src))[1][0]
        token, logits = torch.zeros_like(tgt[:, 0]), []
        for t in range(tgt.shape[1]):
            h = self.cell(self.emb(token), h)
            logits.append(self.out(h))
            own = logits[-1].argmax(-1).detach()
            token = own if self.coin.random() < 0.5 else tgt[:, t]
        return F.cross_entropy(torch.stack(logits, 2), tgt)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(711)
    x = torch.randint(1, 10, (24, 5), generator=g)
    y = x.roll(-1, 1)
    return DataLoader(TensorDataset(x, y), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "Tokens are indices by nature, the logits of every step keep the graph.",
    "all_grads_by_step": 1,
    "source": "own",
}
