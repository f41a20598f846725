# SPDX-License-Identifier: Apache-2.0
"""Sorted, packed, run through an LSTM, padded again, last valid step gathered by lengths."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torch.nn.utils import rnn


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(12, 6, padding_idx=0)
        self.lstm, self.out = nn.LSTM(6, 5, batch_first=True), nn.Linear(10, 3)

    def training_step(self, batch, batch_idx):
        x, y = batch
        lengths = 1 + (x[:, 1:] > 4).cumprod(1).sum(1)
        x = x * (torch.arange(x.shape[1]) < lengths[:, None])
        packed = rnn.pack_padded_sequence(self.emb(x), lengths.cpu(), batch_first=True, enforce_sorted=False)
        states, (h, _) = self.lstm(packed)
        states, n = rnn.pad_packed_sequence(states, batch_first=True)
        last = states[torch.arange(len(x)), n - 1]
        return F.cross_entropy(self.out(torch.cat([last, h[-1]], 1)), y)

    def configure_optimizers(self):
        return torch.optim.RMSprop(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(768)
    x = torch.randint(1, 12, (24, 6), generator=g)
    y = torch.randint(0, 3, (24,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "Packing and gathering keep the graph.",
    "all_grads_by_step": 1,
    "source": "own",
}
