# SPDX-License-Identifier: Apache-2.0
"""Graph classifier with top-k pooling: nodes are selected by score, and the score multiplies nothing."""
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


def normalise(adj: Tensor) -> Tensor:
    adj = adj + torch.eye(adj.size(-1))
    deg = adj.sum(-1).clamp(min=1.0)
    d = deg.pow(-0.5)
    return d.unsqueeze(-1) * adj * d.unsqueeze(-2)


class GraphConv(nn.Module):
    def __init__(self, i: int, o: int):
        super().__init__()
        self.lin = nn.Linear(i, o, bias=False)
        self.bias = nn.Parameter(torch.zeros(o))

    def forward(self, x: Tensor, adj: Tensor) -> Tensor:
        return torch.bmm(normalise(adj), self.lin(x)) + self.bias


class TopKPool(nn.Module):
    def __init__(self, dim: int, ratio: float, nonlinearity: Callable = torch.tanh):
        super().__init__()
        self.ratio, self.act = ratio, nonlinearity
        self.weight = nn.Parameter(torch.empty(1, dim))
        nn.init.uniform_(self.weight, -1, 1)

    def forward(self, x: Tensor, adj: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        score = self.act((x * self.weight).sum(-1) / self.weight.norm(p=2, dim=-1))
        k = max(1, math.ceil(self.ratio * x.size(1)))
        perm = score.topk(k, dim=1).indices  # <-- CAUSE
        rows = perm.unsqueeze(-1).expand(-1, -1, x.size(-1))
        x = x.gather(1, rows)
        adj = adj.gather(1, perm.unsqueeze(-1).expand(-1, -1, adj.size(-1)))
        adj = adj.gather(2, perm.unsqueeze(1).expand(-1, k, -1))
        return x, adj, perm


class Readout(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x.mean(1), x.amax(1)], dim=-1)


class GraphUNetish(nn.Module):
    def __init__(self, feats: int, dim: int, ratios: tuple[float, ...]):
        super().__init__()
        self.convs = nn.ModuleList([GraphConv(feats if i == 0 else dim, dim) for i in range(len(ratios))])
        self.pools = nn.ModuleList([TopKPool(dim, r) for r in ratios])
        self.readout = Readout()

    def forward(self, x: Tensor, adj: Tensor) -> tuple[Tensor, list[Tensor]]:
        total, kept = 0, []
        for conv, pool in zip(self.convs, self.pools):
            x = F.leaky_relu(conv(x, adj))
            x, adj, perm = pool(x, adj)
            total = total + self.readout(x)
            kept.append(perm)
        return total, kept


class Model(pl.LightningModule):
    def __init__(self, feats: int = 5, dim: int = 12, classes: int = 3, lr: float = 5e-3):
        super().__init__()
        self.save_hyperparameters()
        self.gnn = GraphUNetish(feats, dim, (0.8, 0.5))
        self.head = nn.Sequential(nn.Linear(2 * dim, dim), nn.ReLU(), nn.Dropout(0.1), nn.Linear(dim, classes))
        self.acc = torchmetrics.Accuracy(task="multiclass", num_classes=classes)

    def forward(self, x: Tensor, adj: Tensor) -> tuple[Tensor, list[Tensor]]:
        h, kept = self.gnn(x, adj)
        return self.head(h), kept

    def training_step(self, batch, batch_idx):
        x, adj, y = batch
        logits, kept = self(x, adj)
        loss = F.cross_entropy(logits, y)
        self.acc(logits, y)
        self.log("train_loss", loss)
        self.log("train_acc", self.acc, on_step=True, on_epoch=True)
        self.log("kept_nodes", float(kept[-1].size(1)))
        return loss

    def validation_step(self, batch, batch_idx):
        x, adj, y = batch
        self.log("val_loss", F.cross_entropy(self(x, adj)[0], y))

    def configure_optimizers(self):
        opt = torch.optim.Adam(self.parameters(), lr=self.hparams.lr)
        return {"optimizer": opt, "lr_scheduler": {"scheduler": torch.optim.lr_scheduler.ExponentialLR(opt, 0.99)}}


def dataloader():
    g = torch.Generator().manual_seed(3008)
    a = (torch.rand(18, 8, 8, generator=g) < 0.3).float()
    adj = ((a + a.transpose(1, 2)) > 0).float()
    return DataLoader(TensorDataset(torch.randn(18, 8, 5, generator=g), adj, torch.randint(0, 3, (18,), generator=g)), batch_size=6)


EXPECT = {'verdict': 'broken',
 'symptom': 'missing',
 'cause': 'Tensor.topk',
 'params': ['gnn.pools.*.weight'],
 'metric_like': None,
 'source': 'held',
 'notes': '',
 'cause_alt': ['torch.topk'],
 'line_marker': '# <-- CAUSE'}
