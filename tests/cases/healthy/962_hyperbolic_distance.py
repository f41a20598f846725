# SPDX-License-Identifier: Apache-2.0
"""Poincare embeddings: acosh is kept away from 1 by a clamp, points are projected back into the ball through .data."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Model(pl.LightningModule):
    def __init__(self, n=12):
        super().__init__()
        self.emb = nn.Embedding(n, 3)
        nn.init.uniform_(self.emb.weight, -0.05, 0.05)

    def dist(self, u, v):
        num = (u - v).pow(2).sum(-1)
        den = (1 - u.pow(2).sum(-1)) * (1 - v.pow(2).sum(-1))
        return torch.acosh((1 + 2 * num / den.clamp(min=1e-5)).clamp(min=1 + 1e-6))

    def training_step(self, batch, batch_idx):
        u, v = batch
        neg = torch.randint(0, 12, (len(u), 4))
        cand = torch.cat([v[:, None], neg], 1)
        d = self.dist(self.emb(u)[:, None], self.emb(cand))
        return F.cross_entropy(-d, torch.zeros(len(u), dtype=torch.long))

    def on_train_batch_end(self, *_):
        w = self.emb.weight.data
        w.mul_((1 - 1e-5) / w.norm(dim=1, keepdim=True).clamp(min=1 - 1e-5))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(962)
    return DataLoader(TensorDataset(torch.randint(0, 12, (36,), generator=g), torch.randint(0, 12, (36,), generator=g)), batch_size=12)


EXPECT = {'verdict': 'healthy', 'why': 'Poincare embeddings: acosh is kept away from 1 by a clamp, points are projected back into the ball through .data.', 'all_grads_by_step': 1, 'source': 'held'}
