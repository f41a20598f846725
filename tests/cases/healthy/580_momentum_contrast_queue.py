# SPDX-License-Identifier: Apache-2.0
"""Momentum encoder without grad and a queue of old keys in a buffer that is written in place."""

import copy

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.query = nn.Sequential(nn.Linear(6, 10), nn.ReLU(), nn.Linear(10, 4))
        self.key = copy.deepcopy(self.query)
        for p in self.key.parameters():
            p.requires_grad = False
        self.register_buffer("queue", F.normalize(torch.randn(4, 16), dim=0))
        self.at = 0

    @torch.no_grad()
    def keys(self, x):
        for k, q in zip(self.key.parameters(), self.query.parameters(), strict=True):
            k.data = 0.99 * k.data + 0.01 * q.data
        return F.normalize(self.key(x), dim=1)

    def training_step(self, batch, batch_idx):
        (x,) = batch
        q = F.normalize(self.query(x + 0.1 * torch.randn_like(x)), dim=1)
        k = self.keys(x)
        logits = torch.cat([(q * k).sum(1, keepdim=True), q @ self.queue.clone().detach()], 1) / 0.1
        self.queue[:, self.at:self.at + len(k)] = k.t()
        self.at = (self.at + len(k)) % 16
        return F.cross_entropy(logits, torch.zeros(len(x), dtype=torch.long))

    def configure_optimizers(self):
        return torch.optim.SGD(self.query.parameters(), lr=0.03)


def dataloader():
    g = torch.Generator().manual_seed(580)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g)), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "Keys and queue are constants of the contrast; the query side learns.",
    "steps": 4, "all_grads_by_step": 1,
    "source": "own",
}
