# SPDX-License-Identifier: Apache-2.0
"""Conditional diffusion: the learned null embedding for classifier-free guidance is dropped in with probability zero."""
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
class DiffusionConfig:
    steps: int = 20
    dim: int = 16
    classes: int = 4
    p_uncond: float = 0.0
    ema_decay: float = 0.99
    snr_gamma: float = 5.0


def sinusoidal(t: Tensor, dim: int) -> Tensor:
    f = torch.exp(-math.log(10000) * torch.arange(dim // 2) / (dim // 2))
    a = t.float()[:, None] * f
    return torch.cat([a.sin(), a.cos()], -1)


class FiLMBlock(nn.Module):
    def __init__(self, dim: int, emb: int):
        super().__init__()
        self.conv, self.norm = nn.Conv1d(dim, dim, 3, padding=1), nn.GroupNorm(2, dim)
        self.emb = nn.Linear(emb, 2 * dim)

    def forward(self, x: Tensor, e: Tensor) -> Tensor:
        scale, shift = self.emb(F.silu(e)).unsqueeze(-1).chunk(2, 1)
        return x + F.silu(self.norm(self.conv(x)) * (1 + scale) + shift)


class Denoiser(nn.Module):
    def __init__(self, cfg: DiffusionConfig):
        super().__init__()
        self.cfg = cfg
        self.inp, self.out = nn.Conv1d(1, cfg.dim, 3, padding=1), nn.Conv1d(cfg.dim, 1, 3, padding=1)
        self.time = nn.Sequential(nn.Linear(cfg.dim, cfg.dim), nn.SiLU(), nn.Linear(cfg.dim, cfg.dim))
        self.label = nn.Embedding(cfg.classes, cfg.dim)
        self.null = nn.Parameter(torch.randn(cfg.dim) * 0.02)
        self.blocks = nn.ModuleList([FiLMBlock(cfg.dim, cfg.dim) for _ in range(2)])

    def condition(self, y: Tensor, drop: Tensor) -> Tensor:
        return torch.where(drop[:, None], self.null, self.label(y))  # <-- CAUSE

    def forward(self, x: Tensor, t: Tensor, y: Tensor, drop: Optional[Tensor] = None) -> Tensor:
        if drop is None:
            drop = torch.rand(len(x)) < self.cfg.p_uncond  # <-- ALSO
        e = self.time(sinusoidal(t, self.cfg.dim)) + self.condition(y, drop)
        h = self.inp(x)
        for block in self.blocks:
            h = block(h, e)
        return self.out(h)


class EMACallback(pl.Callback):
    def __init__(self, decay: float):
        self.decay, self.shadow = decay, {}

    def on_train_batch_end(self, trainer, pl_module, *args):
        for k, v in pl_module.net.state_dict().items():
            old = self.shadow.setdefault(k, v.clone())
            old.mul_(self.decay).add_(v, alpha=1 - self.decay)


class Model(pl.LightningModule):
    def __init__(self, cfg: Optional[DiffusionConfig] = None):
        super().__init__()
        self.cfg = cfg = cfg or DiffusionConfig()
        self.net = Denoiser(cfg)
        s = torch.cos((torch.linspace(0, 1, cfg.steps + 1) + 0.008) / 1.008 * math.pi / 2) ** 2
        self.register_buffer("alpha_bar", (s[1:] / s[0]).clamp(1e-3, 0.999))

    def training_step(self, batch, batch_idx):
        x0, y = batch
        t = torch.randint(0, self.cfg.steps, (len(x0),))
        noise, a = torch.randn_like(x0), self.alpha_bar[t].view(-1, 1, 1)
        xt = a.sqrt() * x0 + (1 - a).sqrt() * noise
        snr = (a / (1 - a)).flatten()
        w = snr.clamp(max=self.cfg.snr_gamma) / snr
        loss = (w * (self.net(xt, t, y) - noise).pow(2).mean((1, 2))).mean()
        self.log("loss_simple", loss)
        return loss

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=1e-3, weight_decay=0.0)


def callbacks():
    return [EMACallback(0.99)]


def dataloader():
    g = torch.Generator().manual_seed(3024)
    return DataLoader(TensorDataset(torch.randn(24, 1, 12, generator=g), torch.arange(24) % 4), batch_size=8)


EXPECT = {'verdict': 'broken',
 'symptom': 'zero',
 'cause': 'torch.where',
 'params': ['net.null'],
 'metric_like': None,
 'source': 'held',
 'notes': '',
 'line_marker': '# <-- CAUSE',
 'also_marker': '# <-- ALSO'}
