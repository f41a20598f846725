# SPDX-License-Identifier: Apache-2.0
"""Co-teaching: both losses are taken on the logits of the first network; the second one only ranks samples."""
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


class MLP(nn.Module):
    def __init__(self, i: int, h: int, o: int):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(i, h), nn.BatchNorm1d(h), nn.ReLU())
        self.out = nn.Linear(h, o)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.body(x))


@dataclass
class Schedule:
    forget: float = 0.2
    gradual: int = 4

    def rate(self, epoch: int) -> float:
        return self.forget * min(1.0, (epoch + 1) / self.gradual)


class CoTeachingLoss:
    def __init__(self, schedule: Schedule):
        self.schedule = schedule

    def small_loss(self, logits: Tensor, y: Tensor, keep: int) -> Tensor:
        order = F.cross_entropy(logits, y, reduction="none").argsort()  # <-- ALSO
        return order[:keep]

    def __call__(self, logits_1: Tensor, logits_2: Tensor, y: Tensor, epoch: int) -> tuple[Tensor, Tensor, float]:
        rate = self.schedule.rate(epoch)
        keep = int((1 - rate) * len(y))
        idx_1 = self.small_loss(logits_1, y, keep)
        idx_2 = self.small_loss(logits_2, y, keep)
        loss_1 = F.cross_entropy(logits_1[idx_2], y[idx_2])
        loss_2 = F.cross_entropy(logits_1[idx_1], y[idx_1])  # <-- CAUSE
        overlap = len(set(idx_1.tolist()) & set(idx_2.tolist())) / keep
        return loss_1, loss_2, overlap


def symmetric_noise(y: Tensor, classes: int, rate: float, generator: torch.Generator) -> Tensor:
    flip = torch.rand(len(y), generator=generator) < rate
    return torch.where(flip, torch.randint(0, classes, (len(y),), generator=generator), y)


class Model(pl.LightningModule):
    def __init__(self, classes: int = 4, lr: float = 1e-3):
        super().__init__()
        self.save_hyperparameters()
        self.net_1, self.net_2 = MLP(8, 16, classes), MLP(8, 16, classes)
        self.criterion = CoTeachingLoss(Schedule())
        self.accs = nn.ModuleDict({k: torchmetrics.Accuracy(task="multiclass", num_classes=classes) for k in ("one", "two")})

    def training_step(self, batch, batch_idx):
        x, y = batch
        out_1, out_2 = self.net_1(x), self.net_2(x)
        loss_1, loss_2, overlap = self.criterion(out_1, out_2, y, self.current_epoch)
        self.accs["one"](out_1, y)
        self.accs["two"](out_2, y)
        self.log_dict({"loss_1": loss_1, "loss_2": loss_2, "overlap": overlap})
        self.log_dict({f"acc_{k}": m for k, m in self.accs.items()})
        return loss_1 + loss_2

    def configure_optimizers(self):
        opt = torch.optim.Adam(self.parameters(), lr=self.hparams.lr)
        decay = lambda epoch: 1.0 if epoch < 2 else (10 - epoch) / 8
        return {"optimizer": opt, "lr_scheduler": torch.optim.lr_scheduler.LambdaLR(opt, decay)}


def dataloader():
    g = torch.Generator().manual_seed(3015)
    y = torch.randint(0, 4, (48,), generator=g)
    return DataLoader(TensorDataset(torch.randn(48, 8, generator=g), symmetric_noise(y, 4, 0.3, g)), batch_size=16)


EXPECT = {'verdict': 'broken',
 'symptom': 'missing',
 'cause': 'Tensor.argsort',
 'params': ['net_2.*'],
 'metric_like': None,
 'source': 'held',
 'notes': '',
 'cause_alt': ['unused_result'],
 'line_marker': '# <-- CAUSE',
 'also_marker': '# <-- ALSO'}
