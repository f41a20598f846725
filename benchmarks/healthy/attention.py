# SPDX-License-Identifier: Apache-2.0
"""One block of self-attention by hand, with pre-normalisation and a pooled head."""

import math

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.before = nn.LayerNorm(width)
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width)
        self.after = nn.LayerNorm(width)
        self.wide = nn.Linear(width, 2 * width)
        self.narrow = nn.Linear(2 * width, width)

    def forward(self, x, mask):
        h = self.before(x)
        query = self.query(h)
        key = self.key(h)
        value = self.value(h)
        scores = query @ key.transpose(1, 2) / math.sqrt(x.shape[-1])
        scores = scores.masked_fill(~mask[:, None], -1e9)
        weights = torch.softmax(scores, dim=-1)
        mixed = weights @ value
        x = x + mixed
        h = self.after(x)
        h = F.gelu(self.wide(h))
        h = self.narrow(h)
        return x + h


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enter = nn.Linear(6, 8)
        self.place = nn.Parameter(0.1 * torch.randn(7, 8))
        self.block = Block(8)
        self.head = nn.Linear(8, 1)

    def training_step(self, batch, batch_idx):
        x, mask, y = batch
        h = self.enter(x) + self.place
        h = self.block(h, mask)
        pooled = (h * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        guess = self.head(pooled).squeeze(1)
        loss = F.huber_loss(guess, y)
        return loss

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=1e-3)


def batch():
    mask = torch.arange(7) < torch.tensor([7, 5, 6, 3])[:, None]
    return torch.randn(4, 7, 6), mask, torch.randn(4)
