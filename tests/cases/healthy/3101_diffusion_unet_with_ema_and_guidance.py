# SPDX-License-Identifier: Apache-2.0
"""Diffusion U-Net: condition dropped by chance, EMA of the weights, guided samples drawn in validation."""
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


class EMA:
    def __init__(self, model: nn.Module, decay: float):
        self.decay = decay
        self.model = copy.deepcopy(model).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        for e, p in zip(self.model.state_dict().values(), model.state_dict().values()):
            e.copy_(self.decay * e + (1 - self.decay) * p)


class ResBlock(nn.Module):
    def __init__(self, i: int, o: int, emb: int):
        super().__init__()
        self.n1, self.c1 = nn.GroupNorm(2, i), nn.Conv2d(i, o, 3, padding=1)
        self.n2, self.c2 = nn.GroupNorm(2, o), nn.Conv2d(o, o, 3, padding=1)
        self.emb, self.skip = nn.Linear(emb, 2 * o), nn.Conv2d(i, o, 1) if i != o else nn.Identity()

    def forward(self, x: Tensor, e: Tensor) -> Tensor:
        h = self.c1(F.silu(self.n1(x)))
        scale, shift = self.emb(F.silu(e))[..., None, None].chunk(2, 1)
        return self.skip(x) + self.c2(F.silu(self.n2(h) * (1 + scale) + shift))


class LinearAttention(nn.Module):
    def __init__(self, d: int, heads: int = 2):
        super().__init__()
        self.heads, self.qkv, self.out = heads, nn.Conv2d(d, 3 * d, 1, bias=False), nn.Conv2d(d, d, 1)

    def forward(self, x: Tensor) -> Tensor:
        b, c, h, w = x.shape
        q, k, v = self.qkv(x).view(b, 3, self.heads, -1, h * w).unbind(1)
        q, k = q.softmax(-2) * q.size(-2) ** -0.5, k.softmax(-1)
        ctx = einsum("bhdn,bhen->bhde", k, v)
        return x + self.out(einsum("bhde,bhdn->bhen", ctx, q).reshape(b, c, h, w))


class UNet(nn.Module):
    def __init__(self, d: int = 8, classes: int = 3):
        super().__init__()
        self.d, self.null_class = d, classes
        self.time = nn.Sequential(nn.Linear(d, 2 * d), nn.SiLU(), nn.Linear(2 * d, 2 * d))
        self.label = nn.Embedding(classes + 1, 2 * d)
        self.inp, self.out = nn.Conv2d(1, d, 3, padding=1), nn.Conv2d(d, 1, 3, padding=1)
        self.down1, self.pool = ResBlock(d, d, 2 * d), nn.Conv2d(d, d, 4, 2, 1)
        self.mid, self.attn = ResBlock(d, 2 * d, 2 * d), LinearAttention(2 * d)
        self.up, self.up1 = nn.ConvTranspose2d(2 * d, d, 4, 2, 1), ResBlock(2 * d, d, 2 * d)

    def forward(self, x: Tensor, t: Tensor, y: Tensor) -> Tensor:
        f = torch.exp(torch.arange(self.d // 2) * (-math.log(1e4) / (self.d // 2 - 1)))
        e = t[:, None].float() * f[None]
        e = self.time(torch.cat([e.sin(), e.cos()], -1)) + self.label(y)
        h1 = self.down1(self.inp(x), e)
        h2 = self.attn(self.mid(self.pool(h1), e))
        return self.out(self.up1(torch.cat([self.up(h2), h1], 1), e))


class GaussianDiffusion(nn.Module):
    def __init__(self, steps: int):
        super().__init__()
        betas = torch.linspace(1e-4, 0.2, steps)
        self.steps = steps
        self.register_buffer("betas", betas)
        self.register_buffer("ac", torch.cumprod(1 - betas, 0))

    def q_sample(self, x0: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        a = self.ac.gather(0, t).view(-1, 1, 1, 1)
        return a.sqrt() * x0 + (1 - a).sqrt() * noise

    @torch.inference_mode()
    def sample(self, model: UNet, y: Tensor, shape: tuple[int, ...], guidance: float) -> Tensor:
        x = torch.randn(shape)
        for i in reversed(range(self.steps)):
            t = torch.full((shape[0],), i)
            cond, free = model(x, t, y), model(x, t, torch.full_like(y, model.null_class))
            eps = free + guidance * (cond - free)
            x = (x - self.betas[i] / (1 - self.ac[i]).sqrt() * eps) / (1 - self.betas[i]).sqrt()
            x = x + self.betas[i].sqrt() * torch.randn_like(x) * (i > 0)
        return x.clamp(-1, 1)


class Model(pl.LightningModule):
    def __init__(self, p_uncond: float = 0.2, ema_decay: float = 0.99, guidance: float = 2.0):
        super().__init__()
        self.save_hyperparameters()
        self.net, self.diffusion = UNet(), GaussianDiffusion(6)
        self.ema = EMA(self.net, ema_decay)

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        t, noise = torch.randint(0, self.diffusion.steps, (len(x),)), torch.randn_like(x)
        drop = torch.bernoulli(torch.full((len(y),), self.hparams.p_uncond)).bool()
        y = torch.where(drop, torch.full_like(y, self.net.null_class), y)
        return F.mse_loss(self.net(self.diffusion.q_sample(x, t, noise), t, y), noise)

    def training_step(self, batch, batch_idx):
        x, y = batch
        x = torch.where(torch.rand(len(x), 1, 1, 1) < 0.5, x.flip(-1), x)
        loss = self.loss(x, y)
        self.log("train/loss", loss, prog_bar=True)
        return loss

    def on_before_zero_grad(self, optimizer):
        self.ema.update(self.net)

    def validation_step(self, batch, batch_idx):
        x, y = batch
        self.log("val/loss", self.loss(x, y))
        self.log("val/std", self.diffusion.sample(self.ema.model, y, x.shape, self.hparams.guidance).std())

    def configure_optimizers(self):
        opt = torch.optim.Adam(self.parameters(), lr=2e-4)
        return [opt], [{"scheduler": torch.optim.lr_scheduler.LambdaLR(opt, lambda s: min((s + 1) / 50, 1.0)), "interval": "step"}]


def dataloader():
    g = torch.Generator().manual_seed(3101)
    return DataLoader(TensorDataset(torch.randn(12, 1, 8, 8, generator=g), torch.randint(0, 3, (12,), generator=g)), batch_size=4)


def val_dataloader():
    return DataLoader(TensorDataset(torch.randn(2, 1, 8, 8), torch.tensor([0, 1])))


EXPECT = {'verdict': 'healthy',
 'why': 'Ordinary noise prediction; the averaged copy is no submodule with '
        'gradients, samples are drawn in validation only.',
 'all_grads_by_step': 1,
 'source': 'held'}
