# SPDX-License-Identifier: Apache-2.0
"""A perceptron with batch norm and dropout that tells three classes apart."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enter = nn.Linear(8, 16)
        self.norm = nn.BatchNorm1d(16)
        self.deep = nn.Linear(16, 16)
        self.head = nn.Linear(16, 3)

    def forward(self, x):
        h = self.enter(x)
        h = self.norm(h)
        h = F.gelu(h)
        skip = h
        h = self.deep(h)
        h = F.dropout(h, 0.1, self.training)
        h = h + skip
        return self.head(h)

    def training_step(self, batch, batch_idx):
        x, y = batch
        logits = self(x)
        loss = F.cross_entropy(logits, y, label_smoothing=0.1)
        acc = (logits.argmax(1) == y).float().mean()
        self.seen = acc.item()
        return loss

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=1e-3)


def batch():
    return torch.randn(12, 8), torch.randint(3, (12,))
