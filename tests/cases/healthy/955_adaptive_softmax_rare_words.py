# SPDX-License-Identifier: Apache-2.0
"""Adaptive softmax: the tail clusters wait until a batch contains a rare word."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Model(pl.LightningModule):
    def __init__(self, vocab=30):
        super().__init__()
        self.emb = nn.Embedding(vocab, 8)
        self.rnn = nn.GRU(8, 8, batch_first=True)
        self.out = nn.AdaptiveLogSoftmaxWithLoss(8, vocab, cutoffs=[6, 15], div_value=2.0)

    def training_step(self, batch, batch_idx):
        (ids,) = batch
        h = self.rnn(self.emb(ids[:, :-1]))[0]
        return self.out(h.flatten(0, 1), ids[:, 1:].flatten()).loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(955)
    ids = torch.randint(0, 6, (16, 6), generator=g)
    ids[4:8, 3] = 10
    ids[8:12, 2] = 25
    return DataLoader(TensorDataset(ids), batch_size=4)


EXPECT = {'verdict': 'healthy', 'why': 'Adaptive softmax: the tail clusters wait until a batch contains a rare word.', 'all_grads_by_step': 3, 'source': 'held', 'steps': 4, 'late': {'out.tail.0.*': 2, 'out.tail.1.*': 3}}
