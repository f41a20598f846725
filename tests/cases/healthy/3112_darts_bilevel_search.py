# SPDX-License-Identifier: Apache-2.0
"""Architecture search: weights on training halves, architecture on validation halves, second-order by finite differences."""
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


PRIMITIVES = ["none", "skip", "conv", "pool"]


class Zero(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mul(0.0)


def make(name: str, c: int) -> nn.Module:
    match name:
        case "none":
            return Zero()
        case "skip":
            return nn.Identity()
        case "conv":
            return nn.Sequential(nn.ReLU(), nn.Conv2d(c, c, 3, padding=1, bias=False), nn.BatchNorm2d(c, affine=False))
        case _:
            return nn.Sequential(nn.MaxPool2d(3, 1, 1), nn.BatchNorm2d(c, affine=False))


class MixedOp(nn.Module):
    def __init__(self, c: int):
        super().__init__()
        self._ops = nn.ModuleList(make(p, c) for p in PRIMITIVES)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        return sum(a * op(x) for a, op in zip(w, self._ops))


class Network(nn.Module):
    def __init__(self, c: int = 4, steps: int = 2, classes: int = 3):
        super().__init__()
        self.steps = steps
        self.stem, self.head = nn.Conv2d(3, c, 3, padding=1), nn.Linear(c * steps, classes)
        self.ops = nn.ModuleList(MixedOp(c) for i in range(steps) for _ in range(1 + i))
        self.alphas = nn.Parameter(1e-3 * torch.randn(len(self.ops), len(PRIMITIVES)))

    def weights(self) -> list[nn.Parameter]:
        return [p for n, p in self.named_parameters() if n != "alphas"]

    def forward(self, x: Tensor) -> Tensor:
        w, states, offset = F.softmax(self.alphas, -1), [self.stem(x)], 0
        for _ in range(self.steps):
            s = sum(self.ops[offset + j](h, w[offset + j]) for j, h in enumerate(states))
            offset += len(states)
            states.append(s)
        return self.head(torch.cat(states[1:], 1).mean((2, 3)))

    def genotype(self) -> str:
        return "|".join(PRIMITIVES[i] for i in self.alphas.softmax(-1)[:, 1:].argmax(-1).add(1).tolist())


class Architect:
    def __init__(self, model: Network, xi: float):
        self.model, self.xi = model, xi

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(self.model(x), y)

    def step(self, train, valid) -> Tensor:
        m = self.model
        backup = [w.detach().clone() for w in m.weights()]
        grads = torch.autograd.grad(self.loss(*train), m.weights())
        with torch.no_grad():
            for w, g in zip(m.weights(), grads):
                w.sub_(self.xi * g)
        val = self.loss(*valid)
        d_alpha, *d_w = torch.autograd.grad(val, [m.alphas, *m.weights()])
        with torch.no_grad():
            for w, b in zip(m.weights(), backup):
                w.copy_(b)
        eps = 0.01 / torch.cat([v.flatten() for v in d_w]).norm().item()
        sides = []
        for sign in (1, -1):
            with torch.no_grad():
                for w, b, v in zip(m.weights(), backup, d_w):
                    w.copy_(b + sign * eps * v)
            sides.append(torch.autograd.grad(self.loss(*train), m.alphas)[0])
        with torch.no_grad():
            for w, b in zip(m.weights(), backup):
                w.copy_(b)
        m.alphas.grad = d_alpha - self.xi * (sides[0] - sides[1]) / (2 * eps)
        return val.detach()


class Model(pl.LightningModule):
    def __init__(self, w_lr: float = 0.025, a_lr: float = 3e-3):
        super().__init__()
        self.save_hyperparameters()
        self.automatic_optimization = False
        self.net = Network()
        self.architect = Architect(self.net, w_lr)

    def training_step(self, batch, batch_idx):
        x, y = batch
        half = len(x) // 2
        train, valid = (x[:half], y[:half]), (x[half:], y[half:])
        opt_w, opt_a = self.optimizers()
        opt_a.zero_grad()
        val = self.architect.step(train, valid)
        opt_a.step()
        opt_w.zero_grad()
        loss = F.cross_entropy(self.net(train[0]), train[1])
        self.manual_backward(loss)
        self.clip_gradients(opt_w, 5.0, "norm")
        opt_w.step()
        self.log_dict({"train": loss, "val": val, "skips": float(self.net.genotype().count("skip"))})

    def configure_optimizers(self):
        hp = self.hparams
        return [torch.optim.SGD(self.net.weights(), hp.w_lr, momentum=0.9), torch.optim.Adam([self.net.alphas], hp.a_lr, betas=(0.5, 0.999))]


def dataloader():
    g = torch.Generator().manual_seed(3112)
    return DataLoader(TensorDataset(torch.randn(24, 3, 6, 6, generator=g), torch.randint(0, 3, (24,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy',
 'why': 'Gradients of the architecture are assigned by hand; the weights move '
        'under no_grad and are put back.',
 'all_grads_by_step': 1,
 'source': 'held',
 'steps': 6}
