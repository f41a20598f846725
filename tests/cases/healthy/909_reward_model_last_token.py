# SPDX-License-Identifier: Apache-2.0
"""Reward model: the reward at the last non-padding token is picked by index, accuracy by comparison."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Model(pl.LightningModule):
    def __init__(self, vocab=12, dim=8):
        super().__init__()
        self.emb = nn.Embedding(vocab, dim, padding_idx=0)
        self.rnn = nn.GRU(dim, dim, batch_first=True)
        self.score = nn.Linear(dim, 1, bias=False)

    def reward(self, ids):
        last = (ids != 0).sum(1).sub(1).clamp(min=0)
        r = self.score(self.rnn(self.emb(ids))[0]).squeeze(-1)
        return r[torch.arange(len(ids)), last]

    def training_step(self, batch, batch_idx):
        good, bad = batch
        r = self.reward(torch.cat([good, bad]))
        c, j = r.chunk(2)
        self.log("acc", torch.gt(c, j).double().mean())
        return -F.logsigmoid(c - j).mean()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(909)
    a = torch.randint(1, 12, (12, 7), generator=g)
    b = torch.randint(1, 12, (12, 7), generator=g)
    a[:, 5:] = 0
    b[::2, 4:] = 0
    return DataLoader(TensorDataset(a, b), batch_size=4)


EXPECT = {'verdict': 'healthy', 'why': 'Reward model: the reward at the last non-padding token is picked by index, accuracy by comparison.', 'all_grads_by_step': 1, 'source': 'held'}
