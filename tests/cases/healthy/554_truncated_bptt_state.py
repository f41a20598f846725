# SPDX-License-Identifier: Apache-2.0
"""The hidden state is carried from batch to batch and detached in between."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.cell = nn.LSTM(2, 6, batch_first=True)
        self.head = nn.Linear(6, 1)
        self.state = None

    def training_step(self, batch, batch_idx):
        x, y = batch
        out, state = self.cell(x.view(len(x), 3, 2), self.state)
        self.state = tuple(s.detach() for s in state)
        return F.mse_loss(self.head(out[:, -1]).squeeze(1), y)

    def on_train_epoch_end(self):
        self.state = None

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(554)
    data = TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, generator=g))
    return DataLoader(data, batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "Truncation cuts the past, each batch still trains every weight.",
    "steps": 5, "all_grads_by_step": 1,
    "source": "own",
}
