# SPDX-License-Identifier: Apache-2.0
"""A configurable number of extra tokens, here none: a trainable parameter without elements."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self, n_extra=0):
        super().__init__()
        self.extra = nn.Parameter(torch.zeros(n_extra, 6))
        self.mix, self.head = nn.Linear(6, 6), nn.Linear(6, 3)

    def training_step(self, batch, batch_idx):
        x, y = batch
        tokens = torch.cat([x[:, None], self.extra.expand(len(x), -1, -1)], dim=1)
        return F.cross_entropy(self.head(torch.tanh(self.mix(tokens)).mean(1)), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(558)
    data = TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 3, (24,), generator=g))
    return DataLoader(data, batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "No element, no gradient to speak of.",
    "all_grads_by_step": 1, "never": ["extra"],
    "source": "own",
}
