# SPDX-License-Identifier: Apache-2.0
"""Perceiver: learned latents attend to a byte array; the weights of later blocks are shared."""
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


def exists(v: Any) -> bool:
    return v is not None


def cache_fn(f: Callable) -> Callable:
    cache: dict = {}

    def cached(*args: Any, _cache: bool = True, key: Any = None, **kwargs: Any):
        if not _cache:
            return f(*args, **kwargs)
        if key in cache:
            return cache[key]
        cache[key] = f(*args, **kwargs)
        return cache[key]

    return cached


def fourier_encode(x: Tensor, max_freq: float, bands: int) -> Tensor:
    x = x.unsqueeze(-1)
    scales = torch.linspace(1.0, max_freq / 2, bands)
    y = x * scales * math.pi
    return torch.cat([y.sin(), y.cos(), x], -1)


class PreNorm(nn.Module):
    def __init__(self, dim: int, fn: nn.Module, context_dim: Optional[int] = None):
        super().__init__()
        self.fn, self.norm = fn, nn.LayerNorm(dim)
        self.norm_context = nn.LayerNorm(context_dim) if exists(context_dim) else None

    def forward(self, x: Tensor, **kwargs: Any) -> Tensor:
        if exists(self.norm_context):
            kwargs.update(context=self.norm_context(kwargs["context"]))
        return self.fn(self.norm(x), **kwargs)


class GEGLU(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        x, gates = x.chunk(2, dim=-1)
        return x * F.gelu(gates)


class FeedForward(nn.Module):
    def __init__(self, dim: int, mult: int = 2):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(dim, dim * mult * 2), GEGLU(), nn.Linear(dim * mult, dim))

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


class Attention(nn.Module):
    def __init__(self, query_dim: int, context_dim: Optional[int] = None, heads: int = 2, dim_head: int = 4):
        super().__init__()
        inner, context_dim = heads * dim_head, context_dim if exists(context_dim) else query_dim
        self.scale, self.heads = dim_head**-0.5, heads
        self.to_q = nn.Linear(query_dim, inner, bias=False)
        self.to_kv = nn.Linear(context_dim, inner * 2, bias=False)
        self.to_out = nn.Linear(inner, query_dim)

    def forward(self, x: Tensor, context: Optional[Tensor] = None, mask: Optional[Tensor] = None) -> Tensor:
        q, (k, v) = self.to_q(x), self.to_kv(context if exists(context) else x).chunk(2, dim=-1)
        q, k, v = (t.unflatten(-1, (self.heads, -1)).transpose(1, 2).flatten(0, 1) for t in (q, k, v))
        sim = einsum("b i d, b j d -> b i j", q, k) * self.scale
        if exists(mask):
            sim.masked_fill_(~mask.repeat_interleave(self.heads, 0)[:, None], -torch.finfo(sim.dtype).max)
        out = einsum("b i j, b j d -> b i d", sim.softmax(dim=-1), v)
        return self.to_out(out.unflatten(0, (-1, self.heads)).transpose(1, 2).flatten(2))


class Perceiver(nn.Module):
    def __init__(self, depth: int = 3, channels: int = 2, latents: int = 4, latent_dim: int = 8, bands: int = 2, classes: int = 3):
        super().__init__()
        self.bands, dim = bands, channels + 2 * bands + 1
        self.latents = nn.Parameter(torch.randn(latents, latent_dim) * 0.02)
        cross = cache_fn(lambda: PreNorm(latent_dim, Attention(latent_dim, dim), context_dim=dim))
        ff = cache_fn(lambda: PreNorm(latent_dim, FeedForward(latent_dim)))
        self_att = cache_fn(lambda: PreNorm(latent_dim, Attention(latent_dim)))
        self.layers = nn.ModuleList([])
        for i in range(depth):
            args = {"_cache": i > 0, "key": "shared"}
            self.layers.append(nn.ModuleList([cross(**args), ff(**args), self_att(**args)]))
        self.to_logits = nn.Sequential(nn.LayerNorm(latent_dim), nn.Linear(latent_dim, classes))

    def forward(self, data: Tensor, mask: Optional[Tensor] = None) -> Tensor:
        b, n, _ = data.shape
        pos = fourier_encode(torch.linspace(-1.0, 1.0, steps=n), 8.0, self.bands)
        data = torch.cat([data, pos.expand(b, -1, -1)], dim=-1)
        x = self.latents.expand(b, -1, -1)
        for cross, ff, att in self.layers:
            x = cross(x, context=data, mask=mask) + x
            x = ff(x) + x
            x = att(x) + x
        return self.to_logits(x.mean(1))


class Model(pl.LightningModule):
    def __init__(self, lr: float = 1e-3):
        super().__init__()
        self.save_hyperparameters()
        self.net = Perceiver()
        self.metrics = torchmetrics.MetricCollection([torchmetrics.classification.MulticlassAccuracy(3), torchmetrics.classification.MulticlassF1Score(3)])

    def training_step(self, batch, batch_idx):
        x, n, y = batch
        mask = torch.arange(x.size(1))[None] < n[:, None]
        logits = self.net(x, mask)
        loss = F.cross_entropy(logits, y)
        self.log_dict(self.metrics(logits.detach(), y) | {"loss": loss})
        return loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=self.hparams.lr)


def dataloader():
    g = torch.Generator().manual_seed(3105)
    return DataLoader(TensorDataset(torch.randn(12, 9, 2, generator=g), torch.randint(3, 10, (12,), generator=g), torch.randint(0, 3, (12,), generator=g)), batch_size=4)


EXPECT = {'verdict': 'healthy',
 'why': 'All latents, shared blocks and heads train; the mask fills scores in '
        'place before the softmax.',
 'all_grads_by_step': 1,
 'source': 'held'}
