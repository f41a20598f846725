# SPDX-License-Identifier: Apache-2.0
"""Graph classifier: kept nodes are multiplied by their scores, scores are also regularised, isolated nodes exist."""
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


def scatter_mean(x: Tensor, index: Tensor, n: int) -> Tensor:
    total = x.new_zeros(n, x.size(-1)).index_add_(0, index, x)
    count = x.new_zeros(n).scatter_add_(0, index, torch.ones_like(index, dtype=x.dtype))
    return total / count.clamp(min=1).unsqueeze(-1)


def segment_softmax(e: Tensor, index: Tensor, n: int) -> Tensor:
    top = torch.full((n,), -1e9).scatter_reduce(0, index, e.detach(), "amax")
    w = (e - top[index]).exp()
    return w / (torch.zeros(n).index_add(0, index, w)[index] + 1e-16)


class GATConv(nn.Module):
    def __init__(self, i: int, o: int, slope: float = 0.2):
        super().__init__()
        self.lin = nn.Linear(i, o, bias=False)
        self.att_src, self.att_dst = nn.Parameter(torch.randn(o) * 0.1), nn.Parameter(torch.randn(o) * 0.1)
        self.root, self.slope = nn.Linear(i, o), slope

    def forward(self, x: Tensor, edges: Tensor) -> Tensor:
        src, dst = edges
        h = self.lin(x)
        e = F.leaky_relu((h * self.att_src).sum(-1)[src] + (h * self.att_dst).sum(-1)[dst], self.slope)
        a = segment_softmax(e, dst, len(x))
        return torch.zeros_like(h).index_add(0, dst, a.unsqueeze(-1) * h[src]) + self.root(x)


class TopKPooling(nn.Module):
    def __init__(self, d: int, ratio: float):
        super().__init__()
        self.weight, self.ratio = nn.Parameter(torch.randn(d)), ratio

    def forward(self, x: Tensor, edges: Tensor, batch: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        score = torch.tanh(x @ self.weight / self.weight.norm())
        keep = []
        for b in batch.unique().tolist():
            members = (batch == b).nonzero().flatten()
            k = math.ceil(self.ratio * len(members))
            keep.append(members[score[members].argsort(descending=True)[:k]])
        perm = torch.cat(keep)
        new = torch.full((len(x),), -1, dtype=torch.long)
        new[perm] = torch.arange(len(perm))
        edges = new[edges]
        edges = edges[:, (edges >= 0).all(0)]
        return x[perm] * score[perm].unsqueeze(-1), edges, batch[perm], score


class Net(nn.Module):
    def __init__(self, feats: int = 4, d: int = 8, classes: int = 3):
        super().__init__()
        self.convs = nn.ModuleList([GATConv(feats, d), GATConv(d, d)])
        self.pools = nn.ModuleList([TopKPooling(d, 0.8), TopKPooling(d, 0.6)])
        self.head = nn.Sequential(nn.Linear(2 * d, d), nn.ELU(), nn.Linear(d, classes))

    def forward(self, x: Tensor, edges: Tensor, batch: Tensor) -> tuple[Tensor, list[Tensor]]:
        n, scores, total = int(batch.max()) + 1, [], 0
        for conv, pool in zip(self.convs, self.pools):
            x = F.elu(conv(x, edges))
            x, edges, batch, score = pool(x, edges, batch)
            biggest = torch.full((n, x.size(1)), -torch.inf).scatter_reduce(0, batch[:, None].expand_as(x), x, "amax")
            total = total + torch.cat([scatter_mean(x, batch, n), biggest], -1)
            scores.append(score)
        return self.head(total), scores


class Graphs(Dataset):
    def __init__(self, n: int, seed: int):
        self.g, self.n = torch.Generator().manual_seed(seed), n

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, i: int):
        k = 5 + i % 4
        return torch.randn(k, 4, generator=self.g), torch.randint(0, k, (2, 2 * k), generator=self.g), i % 3


def collate(graphs):
    shift, xs, es, bs = 0, [], [], []
    for i, (x, e, _) in enumerate(graphs):
        xs.append(x), es.append(e + shift), bs.append(torch.full((len(x),), i))
        shift += len(x)
    return torch.cat(xs), torch.cat(es, 1), torch.cat(bs), torch.tensor([y for *_, y in graphs])


class Model(pl.LightningModule):
    def __init__(self, lr: float = 5e-3, score_weight: float = 0.01):
        super().__init__()
        self.save_hyperparameters()
        self.net = Net()
        self.acc = torchmetrics.Accuracy(task="multiclass", num_classes=3)

    def training_step(self, batch, batch_idx):
        x, edges, assignment, y = batch
        logits, scores = self.net(x, edges, assignment)
        ce = F.cross_entropy(logits, y)
        spread = sum((1 - s.abs()).mean() for s in scores)
        self.acc(logits, y)
        self.log("ce", ce, batch_size=len(y))
        self.log("acc", self.acc, batch_size=len(y))
        return ce + self.hparams.score_weight * spread

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=self.hparams.lr)


def dataloader():
    return DataLoader(Graphs(18, 3107), batch_size=6, collate_fn=collate)


EXPECT = {'verdict': 'healthy',
 'why': 'Selection by argsort, but the scores multiply the kept nodes; the '
        'softmax is shifted by a detached maximum.',
 'all_grads_by_step': 1,
 'source': 'held'}
