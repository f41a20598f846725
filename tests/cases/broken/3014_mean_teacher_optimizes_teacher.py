# SPDX-License-Identifier: Apache-2.0
"""Mean teacher: the optimizer was given the parameters of the averaged model."""
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


class GaussianNoise(nn.Module):
    def __init__(self, sigma: float):
        super().__init__()
        self.sigma = sigma

    def forward(self, x: Tensor) -> Tensor:
        return x + self.sigma * torch.randn_like(x) if self.training else x


class Net(nn.Module):
    def __init__(self, i: int, hidden: int, classes: int):
        super().__init__()
        self.noise = GaussianNoise(0.1)
        self.f = nn.Sequential(nn.Linear(i, hidden), nn.BatchNorm1d(hidden), nn.LeakyReLU(0.1), nn.Dropout(0.2))
        self.fc = nn.utils.parametrizations.weight_norm(nn.Linear(hidden, classes))

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.f(self.noise(x)))


class EMATeacher(nn.Module):
    def __init__(self, student: nn.Module, decay: float):
        super().__init__()
        self.model = copy.deepcopy(student)
        self.decay = decay
        self.model.requires_grad_(False)

    @torch.no_grad()
    def update(self, student: nn.Module, step: int) -> None:
        d = min(1 - 1 / (step + 1), self.decay)
        for t, s in zip(self.model.parameters(), student.parameters()):
            t.mul_(d).add_(s, alpha=1 - d)
        for t, s in zip(self.model.buffers(), student.buffers()):
            t.copy_(s)

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)


def sigmoid_rampup(current: int, length: int) -> float:
    phase = 1.0 - min(max(current, 0), length) / length
    return float(np.exp(-5.0 * phase * phase))


def softmax_mse(a: Tensor, b: Tensor) -> Tensor:
    return F.mse_loss(a.softmax(1), b.softmax(1), reduction="sum") / a.shape[1] / len(a)


class Model(pl.LightningModule):
    NO_LABEL = -1

    def __init__(self, hidden: int = 16, classes: int = 3, consistency: float = 10.0, rampup: int = 5, decay: float = 0.99):
        super().__init__()
        self.save_hyperparameters()
        self.student = Net(6, hidden, classes)
        self.teacher = EMATeacher(self.student, decay)
        self.train_acc = torchmetrics.Accuracy(task="multiclass", num_classes=classes, ignore_index=self.NO_LABEL)

    def training_step(self, batch, batch_idx):
        x, y = batch
        logits, target = self.student(x), self.teacher(x)
        w = self.hparams.consistency * sigmoid_rampup(self.global_step + 1, self.hparams.rampup)
        cls = F.cross_entropy(logits, y, ignore_index=self.NO_LABEL)
        cons = w * softmax_mse(logits, target.detach())
        self.train_acc(logits, y)
        self.log_dict({"cls": cls, "cons": cons, "w": w})
        self.log("acc", self.train_acc)
        return cls + cons

    def on_train_batch_end(self, *args):
        self.teacher.update(self.student, self.global_step)

    def configure_optimizers(self):
        return torch.optim.SGD(self.teacher.parameters(), lr=0.05, momentum=0.9, nesterov=True)  # <-- CAUSE


def dataloader():
    g = torch.Generator().manual_seed(3014)
    y = torch.randint(0, 3, (24,), generator=g)
    y[::2] = -1
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), y), batch_size=8)


EXPECT = {'verdict': 'broken',
 'symptom': 'not_optimized',
 'cause': 'optimizer_params',
 'params': ['student.*'],
 'metric_like': None,
 'source': 'held',
 'notes': '',
 'quiet': ['teacher.*'],
 'line_marker': '# <-- CAUSE'}
