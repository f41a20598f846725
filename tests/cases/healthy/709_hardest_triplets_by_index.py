# SPDX-License-Identifier: Apache-2.0
"""Triplets are mined by argmax and argmin under no_grad; the loss indexes the live embeddings."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.embed = nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Linear(12, 4))
        self.loss = nn.TripletMarginLoss(margin=1.0)

    @torch.no_grad()
    def mine(self, emb, y):
        d = torch.cdist(emb, emb)
        same = y[:, None] == y[None]
        return d.masked_fill(~same, -1).argmax(1), d.masked_fill(same, 1e6).argmin(1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        emb = self.embed(x)
        pos, neg = self.mine(emb, y)
        return self.loss(emb, emb[pos], emb[neg])

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.02, momentum=0.9)


def dataloader():
    g = torch.Generator().manual_seed(709)
    x = torch.randn(24, 6, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 3, (24,), generator=g)), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "Only the choice is made without gradients.",
    "all_grads_by_step": 1,
    "source": "own",
}
