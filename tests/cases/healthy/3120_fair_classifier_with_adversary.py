# SPDX-License-Identifier: Apache-2.0
"""Fairness: an adversary behind a gradient reversal layer, its strength scheduled, parity gap logged."""
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


class ReverseFn(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, lambd: float) -> Tensor:
        ctx.lambd = lambd
        return x.view_as(x)

    @staticmethod
    def backward(ctx, g: Tensor):
        return -ctx.lambd * g, None


class GradientReversal(nn.Module):
    def __init__(self, gamma: float = 10.0):
        super().__init__()
        self.gamma, self.progress = gamma, 0.0

    @property
    def lambd(self) -> float:
        return 2.0 / (1.0 + math.exp(-self.gamma * self.progress)) - 1.0

    def forward(self, x: Tensor) -> Tensor:
        return ReverseFn.apply(x, self.lambd)


class TabularEncoder(nn.Module):
    def __init__(self, cards: list[int], numeric: int, d: int):
        super().__init__()
        self.embeds = nn.ModuleList([nn.Embedding(c, min(4, (c + 1) // 2)) for c in cards])
        width = sum(e.embedding_dim for e in self.embeds) + numeric
        self.bn, self.net = nn.BatchNorm1d(numeric), nn.Sequential(nn.Linear(width, d), nn.ReLU(), nn.Dropout(0.1), nn.Linear(d, d))

    def forward(self, cat: Tensor, num: Tensor) -> Tensor:
        e = [emb(cat[:, i]) for i, emb in enumerate(self.embeds)]
        return self.net(torch.cat([*e, self.bn(num)], dim=1))


@torch.no_grad()
def parity_gap(prob: Tensor, group: Tensor) -> float:
    rates = [(prob[group == g] > 0.5).float().mean() for g in (0, 1) if (group == g).any()]
    return abs(float(rates[0] - rates[-1]))


class Progress(pl.Callback):
    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        pl_module.reverse.progress = trainer.global_step / max(1, trainer.max_steps)


class Model(pl.LightningModule):
    def __init__(self, d: int = 8, weight: float = 0.5):
        super().__init__()
        self.save_hyperparameters()
        self.encoder = TabularEncoder([5, 3], 4, d)
        self.task, self.adversary = nn.Linear(d, 1), nn.Sequential(nn.Linear(d, d), nn.LeakyReLU(), nn.Linear(d, 1))
        self.reverse = GradientReversal()
        self.metrics = nn.ModuleDict({"acc": torchmetrics.classification.BinaryAccuracy(), "f1": torchmetrics.classification.BinaryF1Score()})

    def training_step(self, batch, batch_idx):
        cat, num, y, group = batch
        h = self.encoder(cat, num)
        logit, adv = self.task(h).squeeze(-1), self.adversary(self.reverse(h)).squeeze(-1)
        bce = F.binary_cross_entropy_with_logits
        loss_y, loss_a = bce(logit, y), bce(adv, group.float())
        for name, metric in self.metrics.items():
            metric(logit.sigmoid(), y.long())
            self.log(name, metric)
        self.log_dict({"task": loss_y, "adv": loss_a, "gap": parity_gap(logit.sigmoid(), group), "lambda": self.reverse.lambd})
        return loss_y + self.hparams.weight * loss_a

    def configure_optimizers(self):
        return torch.optim.Adam([{"params": self.encoder.parameters()}, {"params": self.task.parameters()}, {"params": self.adversary.parameters(), "lr": 1e-2}], lr=1e-3)


def callbacks():
    return [Progress()]


def dataloader():
    g = torch.Generator().manual_seed(3120)
    cat = torch.stack([torch.randint(0, 5, (32,), generator=g), torch.randint(0, 3, (32,), generator=g)], 1)
    return DataLoader(TensorDataset(cat, torch.randn(32, 4, generator=g), (torch.rand(32, generator=g) > 0.5).float(), torch.randint(0, 2, (32,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy',
 'why': 'The reversal strength is zero in the first step only; encoder and '
        'adversary train all the same.',
 'all_grads_by_step': 1,
 'source': 'held'}
