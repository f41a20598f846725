# SPDX-License-Identifier: Apache-2.0
"""BYOL: online and target networks, augmentations in training_step, momentum that follows a cosine."""
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


def mlp(i: int, h: int, o: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(i, h, bias=False), nn.BatchNorm1d(h), nn.ReLU(inplace=True), nn.Linear(h, o))


class RandomAugment(nn.Module):
    def __init__(self, jitter: float = 0.4, p_gray: float = 0.2, crop: int = 6):
        super().__init__()
        self.jitter, self.p_gray, self.crop = jitter, p_gray, crop

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        b, _, h, w = x.shape
        i, j = (int(torch.randint(0, s - self.crop + 1, ())) for s in (h, w))
        x = F.interpolate(x[..., i : i + self.crop, j : j + self.crop], size=(h, w), mode="bilinear", align_corners=False)
        x = x * (1 + self.jitter * (2 * torch.rand(b, 1, 1, 1) - 1))
        gray = torch.rand(b, 1, 1, 1) < self.p_gray
        return torch.where(gray, x.mean(1, keepdim=True).expand_as(x), x)


class Encoder(nn.Module):
    def __init__(self, d: int, proj: int):
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(3, d, 3, 2, 1), nn.BatchNorm2d(d), nn.ReLU(), nn.Conv2d(d, d, 3, 2, 1))
        self.projector = mlp(d, 2 * d, proj)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = self.conv(x).mean((2, 3))
        return h, self.projector(h)


class WeightedEMA:
    def __init__(self, base: float):
        self.base = self.current = base

    def schedule(self, step: int, total: int) -> None:
        self.current = 1 - (1 - self.base) * (math.cos(math.pi * step / total) + 1) / 2

    def __call__(self, online: nn.Module, target: nn.Module) -> None:
        for p, q in zip(online.parameters(), target.parameters()):
            q.data = self.current * q.data + (1 - self.current) * p.data
        for p, q in zip(online.buffers(), target.buffers()):
            q.data.copy_(p.data)


def regression_loss(x: Tensor, y: Tensor) -> Tensor:
    return 2 - 2 * F.cosine_similarity(x, y.detach(), dim=-1).mean()


class Model(pl.LightningModule):
    def __init__(self, d: int = 8, proj: int = 6, tau: float = 0.9, classes: int = 4, total: int = 20):
        super().__init__()
        self.save_hyperparameters()
        self.online = Encoder(d, proj)
        self.predictor = mlp(proj, 2 * proj, proj)
        self.target = copy.deepcopy(self.online)
        for p in self.target.parameters():
            p.requires_grad_(False)
        self.probe = nn.Linear(d, classes)
        self.ema, self.augment = WeightedEMA(tau), RandomAugment()
        self.probe_acc = torchmetrics.classification.MulticlassAccuracy(classes)

    def training_step(self, batch, batch_idx):
        x, y = batch
        v1, v2 = self.augment(x), self.augment(x)
        (h1, z1), (h2, z2) = self.online(v1), self.online(v2)
        p1, p2 = self.predictor(z1), self.predictor(z2)
        with torch.no_grad():
            (_, t1), (_, t2) = self.target(v1), self.target(v2)
        byol = regression_loss(p1, t2) + regression_loss(p2, t1)
        logits = self.probe(torch.cat([h1, h2]).detach())
        probe = F.cross_entropy(logits, y.repeat(2))
        with torch.no_grad():
            std = F.normalize(z1, dim=1).std(0).mean()
        self.log_dict({"byol": byol, "probe": probe, "z_std": std, "tau": self.ema.current})
        self.log("probe_acc", self.probe_acc(logits.argmax(-1), y.repeat(2)))
        return byol + probe

    def on_train_batch_end(self, outputs, batch, batch_idx):
        self.ema.schedule(self.global_step, self.hparams.total)
        self.ema(self.online, self.target)

    def configure_optimizers(self):
        opt = torch.optim.SGD([
            {"params": [*self.online.parameters(), *self.predictor.parameters()], "lr": 0.05},
            {"params": self.probe.parameters(), "lr": 0.1, "weight_decay": 0.0},
        ], momentum=0.9, weight_decay=1e-4)
        return [opt], [torch.optim.lr_scheduler.CosineAnnealingLR(opt, 10)]


def dataloader():
    g = torch.Generator().manual_seed(3103)
    return DataLoader(TensorDataset(torch.rand(24, 3, 8, 8, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8, drop_last=True)


EXPECT = {'verdict': 'healthy',
 'why': 'The target is frozen; the probe is detached from the encoder on '
        'purpose and has a loss of its own.',
 'all_grads_by_step': 1,
 'source': 'held'}
