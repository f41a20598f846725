# SPDX-License-Identifier: Apache-2.0
"""BPR with dynamically chosen hard negatives (argmax of detached scores) and hit@k in the log."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Model(pl.LightningModule):
    def __init__(self, users=8, items=15, dim=6):
        super().__init__()
        self.user, self.item = nn.Embedding(users, dim), nn.Embedding(items, dim)
        self.bias = nn.Embedding(items, 1)

    def score(self, u, i):
        return (self.user(u)[:, None] * self.item(i)).sum(-1) + self.bias(i).squeeze(-1)

    def training_step(self, batch, batch_idx):
        u, pos = batch
        cand = torch.randint(0, 15, (len(u), 5))
        with torch.no_grad():
            neg = cand.gather(1, self.score(u, cand).argmax(1, keepdim=True))
        diff = self.score(u, pos[:, None]) - self.score(u, neg)
        with torch.no_grad():
            ranks = (self.user(u) @ self.item.weight.t()).topk(5, 1).indices
            self.log("hit@5", (ranks == pos[:, None]).any(1).float().mean())
        reg = self.user(u).pow(2).sum(1).mean() + self.item(pos).pow(2).sum(1).mean()
        return F.softplus(-diff).mean() + 1e-3 * reg

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(926)
    return DataLoader(TensorDataset(torch.randint(0, 8, (24,), generator=g), torch.randint(0, 15, (24,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': 'BPR with dynamically chosen hard negatives (argmax of detached scores) and hit@k in the log.', 'all_grads_by_step': 1, 'source': 'held'}
