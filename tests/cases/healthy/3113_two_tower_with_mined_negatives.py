# SPDX-License-Identifier: Apache-2.0
"""Two-tower recommender: in-batch negatives with popularity correction, hard negatives mined from a cached index."""
import copy
import math
import random
from collections import OrderedDict, defaultdict, deque
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Callable, Optional

import numpy as np
import pytorch_lightning as pl
import torch
import torch.nn as nn
import torch.nn.functional as F
import torchmetrics
from torch import Tensor, einsum
from torch.utils.checkpoint import checkpoint
from torch.utils.data import DataLoader, Dataset, TensorDataset


class Tower(nn.Module):
    def __init__(self, ids: int, feats: int, d: int):
        super().__init__()
        self.emb, self.dense = nn.Embedding(ids, d), nn.Linear(feats, d)
        self.mlp = nn.Sequential(nn.Linear(2 * d, d), nn.ReLU(), nn.Linear(d, d))

    def forward(self, i: Tensor, f: Tensor) -> Tensor:
        return F.normalize(self.mlp(torch.cat([self.emb(i), self.dense(f)], -1)), dim=-1)


class History(nn.Module):
    """Attention-pooled history of item ids."""

    def __init__(self, table: nn.Embedding, d: int):
        super().__init__()
        self.table, self.q = table, nn.Parameter(torch.randn(d) * 0.1)

    def forward(self, ids: Tensor) -> Tensor:
        e = self.table(ids)
        a = (e @ self.q).masked_fill(ids == 0, -1e9).softmax(-1)
        return (a.unsqueeze(-1) * e).sum(1)


class PopularityEstimator:
    def __init__(self, n: int, alpha: float = 0.1):
        self.last, self.gap, self.alpha, self.step = torch.zeros(n), torch.full((n,), 5.0), alpha, 0

    @torch.no_grad()
    def __call__(self, ids: Tensor) -> Tensor:
        self.step += 1
        self.gap[ids] = (1 - self.alpha) * self.gap[ids] + self.alpha * (self.step - self.last[ids])
        self.last[ids] = self.step
        return -torch.log(self.gap[ids].clamp(min=1.0))


@dataclass
class Loss:
    temperature: float = 0.1
    hard_weight: float = 0.5
    margin: float = 0.2

    def in_batch(self, u: Tensor, v: Tensor, logq: Tensor, ids: Tensor) -> Tensor:
        logits = u @ v.T / self.temperature - logq
        same = (ids[:, None] == ids[None]) & ~torch.eye(len(ids), dtype=torch.bool)
        return F.cross_entropy(logits.masked_fill(same, float("-inf")), torch.arange(len(u)))

    def hard(self, u: Tensor, pos: Tensor, neg: Tensor) -> Tensor:
        return F.relu(self.margin + einsum("bd,bkd->bk", u, neg) - (u * pos).sum(-1, keepdim=True)).mean()


class Model(pl.LightningModule):
    def __init__(self, users: int = 10, n_items: int = 15, d: int = 8, k: int = 3, refresh: int = 2):
        super().__init__()
        self.save_hyperparameters()
        self.user, self.item = Tower(users, 4 + d, d), Tower(n_items, 3, d)
        self.history = History(self.item.emb, d)
        self.register_buffer("features", torch.randn(n_items, 3))
        self.register_buffer("index", torch.zeros(n_items, d), persistent=False)
        self.popularity, self.loss = PopularityEstimator(n_items), Loss()
        self.hit = torchmetrics.MeanMetric()

    @torch.no_grad()
    def refresh_index(self) -> None:
        ids = torch.arange(self.hparams.n_items)
        self.index.copy_(torch.cat([self.item(c, self.features[c]) for c in ids.split(4)]))

    def on_train_batch_start(self, batch, batch_idx):
        if batch_idx % self.hparams.refresh == 0:
            self.refresh_index()

    def mine(self, u: Tensor, pos: Tensor) -> Tensor:
        scores = u.detach() @ self.index.T
        scores.scatter_(1, pos[:, None], -torch.inf)
        return scores.topk(self.hparams.k, dim=1).indices

    def training_step(self, batch, batch_idx):
        uid, uf, hist, pos = batch
        u = self.user(uid, torch.cat([uf, self.history(hist)], -1))
        v = self.item(pos, self.features[pos])
        neg_ids = self.mine(u, pos)
        neg = self.item(neg_ids.flatten(), self.features[neg_ids.flatten()]).view(*neg_ids.shape, -1)
        sampled, hard = self.loss.in_batch(u, v, self.popularity(pos), pos), self.loss.hard(u, v, neg)
        ranks = (u @ self.index.T).argsort(1, descending=True)
        self.hit.update((ranks[:, :5] == pos[:, None]).any(1).float())
        self.log_dict({"sampled": sampled, "hard": hard})
        self.log("hit@5", self.hit)
        return sampled + self.loss.hard_weight * hard

    def configure_optimizers(self):
        return torch.optim.Adagrad(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(3113)
    i = lambda n, *s: torch.randint(0, n, s, generator=g)
    return DataLoader(TensorDataset(i(10, 24), torch.randn(24, 4, generator=g), 1 + i(14, 24, 4), i(15, 24)), batch_size=8)


EXPECT = {'verdict': 'healthy',
 'why': 'The index only chooses negatives; positives and negatives are encoded '
        'again with grad.',
 'all_grads_by_step': 1,
 'source': 'held'}
