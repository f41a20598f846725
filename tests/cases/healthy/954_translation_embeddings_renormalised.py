# SPDX-License-Identifier: Apache-2.0
"""TransE: entity vectors are renormalised in place under no_grad, margin loss with corrupted triples."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Model(pl.LightningModule):
    def __init__(self, entities=15, relations=4, dim=6):
        super().__init__()
        self.ent, self.rel = nn.Embedding(entities, dim), nn.Embedding(relations, dim)

    def on_train_batch_start(self, batch, batch_idx):
        with torch.no_grad():
            self.ent.weight.div_(self.ent.weight.norm(dim=1, keepdim=True).clamp(min=1e-6))

    def dist(self, h, r, t):
        return (self.ent(h) + self.rel(r) - self.ent(t)).norm(p=2, dim=1)

    def training_step(self, batch, batch_idx):
        h, r, t = batch
        flip = torch.rand(len(h)) < 0.5
        other = torch.randint(0, 15, h.shape)
        nh, nt = torch.where(flip, other, h), torch.where(flip, t, other)
        pos, neg = self.dist(h, r, t), self.dist(nh, r, nt)
        self.log("violations", (pos + 1 > neg).float().mean())
        return F.margin_ranking_loss(pos, neg, -torch.ones_like(pos), margin=2.0)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(954)
    return DataLoader(TensorDataset(torch.randint(0, 15, (36,), generator=g), torch.randint(0, 4, (36,), generator=g), torch.randint(0, 15, (36,), generator=g)), batch_size=12)


EXPECT = {'verdict': 'healthy', 'why': 'TransE: entity vectors are renormalised in place under no_grad, margin loss with corrupted triples.', 'all_grads_by_step': 1, 'source': 'held'}
