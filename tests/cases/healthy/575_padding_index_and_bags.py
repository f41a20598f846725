# SPDX-License-Identifier: Apache-2.0
"""Bag of words with a padding row and a frozen pretrained table beside a trained one."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.fixed = nn.Embedding.from_pretrained(torch.randn(12, 4), freeze=True)
        self.table = nn.EmbeddingBag(12, 4, mode="sum", padding_idx=0)
        self.head = nn.Linear(8, 3)

    def training_step(self, batch, batch_idx):
        tok, y = batch
        feats = torch.cat([self.table(tok), self.fixed(tok).mean(1)], 1)
        return F.cross_entropy(self.head(feats), y)

    def configure_optimizers(self):
        return torch.optim.Adagrad([p for p in self.parameters() if p.requires_grad], lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(575)
    x = torch.randint(0, 12, (24, 5), generator=g)
    y = torch.randint(0, 3, (24,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "Only single rows of the trained table have no gradient.",
    "all_grads_by_step": 1,
    "source": "own",
}
