# SPDX-License-Identifier: Apache-2.0
"""Sequence labelling with a structured hinge: Viterbi path decoded without gradient, both paths rescored with it."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Model(pl.LightningModule):
    def __init__(self, vocab=12, tags=4):
        super().__init__()
        self.emb = nn.Embedding(vocab, 6)
        self.rnn = nn.LSTM(6, 8, batch_first=True)
        self.out = nn.Linear(8, tags)
        self.trans = nn.Parameter(0.1 * torch.randn(tags, tags))

    def score(self, e, y):
        path = e.gather(-1, y[..., None]).squeeze(-1).sum(1)
        return path + self.trans[y[:, :-1], y[:, 1:]].sum(1)

    @torch.no_grad()
    def viterbi(self, e, gold):
        e = e + 1.0
        e.scatter_add_(-1, gold[..., None], -torch.ones_like(gold[..., None], dtype=e.dtype))
        best, back = e[:, 0], []
        for t in range(1, e.size(1)):
            best, idx = (best[:, :, None] + self.trans).max(1)
            best = best + e[:, t]
            back.append(idx)
        path = [best.argmax(1)]
        for idx in reversed(back):
            path.append(idx.gather(1, path[-1][:, None]).squeeze(1))
        return torch.stack(path[::-1], 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        e = self.out(self.rnn(self.emb(x))[0])
        hat = self.viterbi(e, y)
        margin = (hat != y).float().sum(1)
        self.log("hamming", margin.mean())
        return F.relu(margin + self.score(e, hat) - self.score(e, y)).mean()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(948)
    return DataLoader(TensorDataset(torch.randint(0, 12, (18, 6), generator=g), torch.randint(0, 4, (18, 6), generator=g)), batch_size=6)


EXPECT = {'verdict': 'healthy', 'why': 'Sequence labelling with a structured hinge: Viterbi path decoded without gradient, both paths rescored with it.', 'all_grads_by_step': 1, 'source': 'held'}
