# SPDX-License-Identifier: Apache-2.0
"""VICReg whose variance term looks at embeddings that were collected for the monitor."""
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


def off_diagonal(x: Tensor) -> Tensor:
    n, m = x.shape
    assert n == m
    return x.flatten()[:-1].view(n - 1, n + 1)[:, 1:].flatten()


class EmbeddingMonitor:
    """Keeps the last embeddings to watch for collapse."""

    def __init__(self, keys: tuple[str, ...] = ("a", "b")):
        self.store: dict[str, Tensor] = {k: torch.empty(0) for k in keys}

    def update(self, **tensors: Tensor) -> None:
        for key, value in tensors.items():
            self.store[key] = value.detach()  # <-- CAUSE

    def std(self, key: str, eps: float = 1e-4) -> Tensor:
        return torch.sqrt(self.store[key].var(dim=0) + eps)


class Projector(nn.Sequential):
    def __init__(self, dims: tuple[int, ...]):
        layers: list[nn.Module] = []
        for i, o in zip(dims[:-2], dims[1:-1]):
            layers += [nn.Linear(i, o), nn.BatchNorm1d(o), nn.ReLU(True)]
        super().__init__(*layers, nn.Linear(dims[-2], dims[-1], bias=False))


class VICRegLoss(nn.Module):
    def __init__(self, sim: float = 25.0, std: float = 25.0, cov: float = 1.0):
        super().__init__()
        self.sim, self.std, self.cov = sim, std, cov
        self.monitor = EmbeddingMonitor()

    def invariance(self, a: Tensor, b: Tensor) -> Tensor:
        return F.mse_loss(a, b)

    def variance(self) -> Tensor:
        return sum(F.relu(1 - self.monitor.std(k)).mean() for k in ("a", "b")) / 2

    def covariance(self, a: Tensor, b: Tensor) -> Tensor:
        total = a.new_zeros(())
        for z in (a, b):
            z = z - z.mean(dim=0)
            c = (z.T @ z) / (len(z) - 1)
            total = total + off_diagonal(c).pow_(2).sum().div(z.size(1))
        return total

    def forward(self, a: Tensor, b: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        self.monitor.update(a=a, b=b)
        terms = {"inv": self.invariance(a, b), "var": self.variance(), "cov": self.covariance(a, b)}
        loss = self.sim * terms["inv"] + self.std * terms["var"] + self.cov * terms["cov"]
        return loss, terms


class TwoCrops(nn.Module):
    def __init__(self, noise: float = 0.3, drop: float = 0.2):
        super().__init__()
        self.noise, self.drop = noise, drop

    @torch.no_grad()
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        def one() -> Tensor:
            keep = (torch.rand_like(x) > self.drop).float()
            return keep * (x + self.noise * torch.randn_like(x))

        return one(), one()


class Model(pl.LightningModule):
    def __init__(self, hidden: int = 16, lr: float = 0.05):
        super().__init__()
        self.save_hyperparameters()
        self.backbone = nn.Sequential(nn.Linear(10, hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Linear(hidden, hidden))
        self.projector = Projector((hidden, 12, 12))
        self.augment = TwoCrops()
        self.criterion = VICRegLoss()

    def training_step(self, batch, batch_idx):
        (x,) = batch
        v1, v2 = self.augment(x)
        z1, z2 = map(lambda v: self.projector(self.backbone(v)), (v1, v2))
        loss, terms = self.criterion(z1, z2)
        for name, value in terms.items():
            self.log(f"train/{name}", value)
        self.log("train/loss", loss, prog_bar=True)
        return loss

    def configure_optimizers(self):
        opt = torch.optim.SGD(self.parameters(), lr=self.hparams.lr, momentum=0.9, weight_decay=1e-6)
        warm = torch.optim.lr_scheduler.LambdaLR(opt, lambda s: min(1.0, (s + 1) / 10))
        return [opt], [{"scheduler": warm, "interval": "step"}]


def dataloader():
    g = torch.Generator().manual_seed(3002)
    return DataLoader(TensorDataset(0.1 * torch.randn(32, 10, generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken',
 'symptom': 'dead_term',
 'cause': 'Tensor.detach',
 'params': 'all',
 'metric_like': None,
 'source': 'held',
 'notes': '',
 'term': 'train/var',
 'line_marker': '# <-- CAUSE'}
