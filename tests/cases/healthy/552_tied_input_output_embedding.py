# SPDX-License-Identifier: Apache-2.0
"""Small language model whose output matrix is the embedding table."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(15, 8)
        self.rnn = nn.LSTM(8, 8, batch_first=True)
        self.out = nn.Linear(8, 15)
        self.out.weight = self.emb.weight

    def training_step(self, batch, batch_idx):
        (tok,) = batch
        h, _ = self.rnn(self.emb(tok[:, :-1]))
        return F.cross_entropy(self.out(h).flatten(0, 1), tok[:, 1:].flatten())

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(552)
    return DataLoader(TensorDataset(torch.randint(0, 15, (24, 6), generator=g)), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "One parameter under two names.",
    "all_grads_by_step": 1,
    "source": "own",
}
