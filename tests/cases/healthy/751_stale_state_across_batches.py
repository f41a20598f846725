# SPDX-License-Identifier: Apache-2.0
"""The hidden state is carried over batches with detach at each boundary."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.rnn, self.out = nn.LSTM(3, 5, batch_first=True), nn.Linear(5, 3)
        self.state = None

    def training_step(self, batch, batch_idx):
        (x,) = batch
        if self.state is not None:
            self.state = tuple(s.data for s in self.state)
        y, self.state = self.rnn(x[:, :-1], self.state)
        return F.mse_loss(self.out(y), x[:, 1:])

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(751)
    x = torch.randn(24, 6, 3, generator=g)
    return DataLoader(TensorDataset(x), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "Truncation is at the batch border, within it the graph is whole.",
    "all_grads_by_step": 1,
    "source": "own",
}
