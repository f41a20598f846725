# SPDX-License-Identifier: Apache-2.0
"""Architecture search: the softmax over the architecture parameters is taken once, in the constructor."""
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


OPS: dict[str, Callable[[int], nn.Module]] = {
    "skip": lambda c: nn.Identity(),
    "conv3": lambda c: nn.Sequential(nn.Conv2d(c, c, 3, padding=1), nn.BatchNorm2d(c)),
    "avg": lambda c: nn.AvgPool2d(3, 1, 1, count_include_pad=False),
    "sep": lambda c: nn.Sequential(nn.Conv2d(c, c, 3, padding=1, groups=c), nn.Conv2d(c, c, 1)),
}


class MixedOp(nn.Module):
    def __init__(self, c: int):
        super().__init__()
        self.ops = nn.ModuleList([make(c) for make in OPS.values()])

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        return sum(w * op(x) for w, op in zip(weights, self.ops))


class Cell(nn.Module):
    def __init__(self, c: int, nodes: int):
        super().__init__()
        self.nodes = nodes
        self.edges = nn.ModuleList([MixedOp(c) for i in range(nodes) for _ in range(i + 1)])

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        states, at = [x], 0
        for i in range(self.nodes):
            states.append(sum(self.edges[at + j](h, weights[at + j]) for j, h in enumerate(states)))
            at += i + 1
        return torch.cat(states[1:], dim=1)


class SuperNet(nn.Module):
    def __init__(self, c: int, nodes: int, classes: int):
        super().__init__()
        self.stem = nn.Conv2d(3, c, 3, padding=1)
        self.cell = Cell(c, nodes)
        self.classifier = nn.Linear(c * nodes, classes)
        edges = len(self.cell.edges)
        self.alphas = nn.Parameter(1e-3 * torch.randn(edges, len(OPS)))
        self.weights = F.softmax(self.alphas, dim=-1)  # <-- CAUSE

    def forward(self, x: Tensor) -> Tensor:
        h = self.cell(self.stem(x), self.weights)  # <-- ALSO
        return self.classifier(h.mean((2, 3)))

    def genotype(self) -> list[str]:
        names = list(OPS)
        return [names[i] for i in self.alphas.detach().argmax(-1).tolist()]


class Model(pl.LightningModule):
    def __init__(self, c: int = 4, nodes: int = 2, classes: int = 3, arch_lr: float = 3e-3):
        super().__init__()
        self.save_hyperparameters()
        self.net = SuperNet(c, nodes, classes)
        self.top1 = torchmetrics.Accuracy(task="multiclass", num_classes=classes)

    def training_step(self, batch, batch_idx):
        x, y = batch
        logits = self.net(x)
        loss = F.cross_entropy(logits, y)
        self.top1(logits.softmax(-1), y)
        self.log("loss", loss)
        self.log("top1", self.top1)
        self.log("skips", float(self.net.genotype().count("skip")))
        return loss

    def configure_optimizers(self):
        weights = [p for n, p in self.net.named_parameters() if n != "alphas"]
        return torch.optim.SGD([
            {"params": weights, "lr": 0.025, "momentum": 0.9, "weight_decay": 3e-4},
            {"params": [self.net.alphas], "lr": self.hparams.arch_lr},
        ])


def dataloader():
    g = torch.Generator().manual_seed(3023)
    return DataLoader(TensorDataset(torch.randn(12, 3, 6, 6, generator=g), torch.randint(0, 3, (12,), generator=g)), batch_size=4)


EXPECT = {'verdict': 'broken',
 'symptom': 'backward_error',
 'cause': 'kept_graph',
 'params': 'all',
 'metric_like': None,
 'source': 'held',
 'notes': '',
 'cause_alt': ['retain_graph', 'backward', 'torch.nn.functional.softmax'],
 'error': 'backward through the graph a second time',
 'onset_step': 2,
 'line_marker': '# <-- CAUSE',
 'also_marker': '# <-- ALSO'}
