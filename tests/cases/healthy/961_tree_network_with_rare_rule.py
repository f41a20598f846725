# SPDX-License-Identifier: Apache-2.0
"""Recursive network over parse trees: the weights of a rare grammar rule appear first in the third batch."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Model(pl.LightningModule):
    def __init__(self, vocab=8, dim=6):
        super().__init__()
        self.emb = nn.Embedding(vocab, dim)
        self.rules = nn.ModuleDict({k: nn.Linear(2 * dim, dim) for k in ("np", "vp", "adv")})
        self.out = nn.Linear(dim, 2)

    def compose(self, node):
        if isinstance(node, int):
            return self.emb.weight[node]
        rule, left, right = node
        return self.rules[rule](torch.cat([self.compose(left), self.compose(right)])).tanh()

    def tree(self, row):
        a, b, c, kind = row.tolist()
        return ("vp", ("np", a, b), c) if kind == 0 else ("vp", ("adv", a, ("np", b, c)), c)

    def training_step(self, batch, batch_idx):
        rows, y = batch
        h = torch.stack([self.compose(self.tree(r)) for r in rows])
        return F.cross_entropy(self.out(h), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(961)
    r = torch.randint(0, 8, (16, 4), generator=g)
    r[:, 3] = 0
    r[9, 3] = 1
    return DataLoader(TensorDataset(r, torch.randint(0, 2, (16,), generator=g)), batch_size=4)


EXPECT = {'verdict': 'healthy', 'why': 'Recursive network over parse trees: the weights of a rare grammar rule appear first in the third batch.', 'all_grads_by_step': 3, 'source': 'held', 'steps': 4, 'late': {'rules.adv.*': 3}}
