# SPDX-License-Identifier: Apache-2.0
"""Continual learning: the consolidation penalty walks the state dict, whose tensors are detached."""
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


@dataclass
class Consolidated:
    means: dict[str, Tensor]
    fisher: dict[str, Tensor]


class EWC:
    """Quadratic penalty around the weights of earlier tasks."""

    def __init__(self, importance: float = 50.0):
        self.importance, self.tasks = importance, []

    def consolidate(self, model: nn.Module, batches: list[tuple[Tensor, Tensor]]) -> None:
        fisher = {n: torch.zeros_like(p) for n, p in model.named_parameters()}
        for x, y in batches:
            loss = F.nll_loss(F.log_softmax(model(x), -1), y)
            grads = torch.autograd.grad(loss, list(model.parameters()))
            for (name, _), grad in zip(model.named_parameters(), grads):
                fisher[name] += grad.detach() ** 2 / len(batches)
        means = {n: p.detach().clone() + 0.1 for n, p in model.named_parameters()}
        self.tasks.append(Consolidated(means, fisher))

    def penalty(self, model: nn.Module) -> Tensor:
        total = torch.zeros(())
        current = model.state_dict()  # <-- CAUSE
        for task in self.tasks:
            for name, fisher in task.fisher.items():
                total = total + (fisher * (current[name] - task.means[name]) ** 2).sum()
        return 0.5 * self.importance * total


class ReplayBuffer:
    def __init__(self, size: int):
        self.data: deque[tuple[Tensor, Tensor]] = deque(maxlen=size)

    def add(self, x: Tensor, y: Tensor) -> None:
        self.data.extend(zip(x, y))

    def sample(self, n: int) -> tuple[Tensor, Tensor]:
        picks = random.sample(list(self.data), min(n, len(self.data)))
        return torch.stack([p[0] for p in picks]), torch.stack([p[1] for p in picks])


class Classifier(nn.Module):
    def __init__(self, dims: tuple[int, ...] = (8, 16, 4)):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(dims[0], dims[1]), nn.Linear(dims[1], dims[2])

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.relu(self.fc1(x)))


class Model(pl.LightningModule):
    def __init__(self, importance: float = 50.0, replay: int = 4):
        super().__init__()
        self.save_hyperparameters()
        self.net, self.ewc, self.buffer = Classifier(), EWC(importance), ReplayBuffer(64)

    def on_train_start(self):
        g = torch.Generator().manual_seed(1)
        old = [(torch.randn(8, 8, generator=g), torch.randint(0, 4, (8,), generator=g)) for _ in range(2)]
        self.ewc.consolidate(self.net, old)
        for x, y in old:
            self.buffer.add(x, y)

    def training_step(self, batch, batch_idx):
        x, y = batch
        rx, ry = self.buffer.sample(self.hparams.replay)
        task_loss = F.cross_entropy(self.net(x), y)
        replay_loss = F.cross_entropy(self.net(rx), ry)
        penalty = self.ewc.penalty(self.net)
        self.log_dict({"task": task_loss, "replay": replay_loss, "ewc": penalty})
        return task_loss + 0.5 * replay_loss + penalty

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9)


def dataloader():
    g = torch.Generator().manual_seed(3016)
    return DataLoader(TensorDataset(torch.randn(24, 8, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken',
 'symptom': 'dead_term',
 'cause': 'Module.state_dict',
 'params': 'all',
 'metric_like': None,
 'source': 'held',
 'notes': '',
 'cause_alt': ['state_dict', 'torch.nn.Module.state_dict'],
 'term': 'ewc',
 'line_marker': '# <-- CAUSE'}
