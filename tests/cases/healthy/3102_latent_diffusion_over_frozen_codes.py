# SPDX-License-Identifier: Apache-2.0
"""Latent diffusion: a frozen VQ first stage encodes inside no_grad; a denoiser learns on its codes."""
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


class VectorQuantizer(nn.Module):
    def __init__(self, n: int, d: int):
        super().__init__()
        self.embedding = nn.Embedding(n, d)

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        flat = z.permute(0, 2, 3, 1).reshape(-1, z.size(1))
        dist = flat.pow(2).sum(1, keepdim=True) + self.embedding.weight.pow(2).sum(1) - 2 * flat @ self.embedding.weight.t()
        idx = dist.argmin(1)
        zq = self.embedding(idx).view(z.size(0), *z.shape[2:], -1).permute(0, 3, 1, 2)
        return z + (zq - z).detach(), idx


class FirstStage(nn.Module):
    def __init__(self, d: int = 4):
        super().__init__()
        self.enc = nn.Sequential(nn.Conv2d(3, 8, 4, 2, 1), nn.ReLU(), nn.Conv2d(8, d, 3, padding=1))
        self.vq = VectorQuantizer(16, d)
        self.dec = nn.Sequential(nn.ConvTranspose2d(d, 8, 4, 2, 1), nn.ReLU(), nn.Conv2d(8, 3, 3, padding=1))

    def encode(self, x: Tensor) -> Tensor:
        return self.enc(x)

    def decode(self, z: Tensor) -> Tensor:
        return self.dec(self.vq(z)[0])


class CrossAttention(nn.Module):
    def __init__(self, q: int, ctx: int, heads: int = 2, dim: int = 8):
        super().__init__()
        self.h = heads
        self.to_q, self.to_k, self.to_v = (nn.Linear(i, dim, bias=False) for i in (q, ctx, ctx))
        self.to_out = nn.Sequential(nn.Linear(dim, q), nn.Dropout(0.0))

    def forward(self, x: Tensor, ctx: Tensor) -> Tensor:
        split = lambda t: t.unflatten(-1, (self.h, -1)).transpose(1, 2)
        q, k, v = split(self.to_q(x)), split(self.to_k(ctx)), split(self.to_v(ctx))
        att = einsum("bhid,bhjd->bhij", q, k).div(math.sqrt(q.size(-1))).softmax(-1)
        return self.to_out(einsum("bhij,bhjd->bhid", att, v).transpose(1, 2).flatten(2))


class Denoiser(nn.Module):
    def __init__(self, z: int = 4, d: int = 8, vocab: int = 12):
        super().__init__()
        self.text = nn.Embedding(vocab, d)
        self.time = nn.Embedding(10, d)
        self.inp, self.out = nn.Conv2d(z, d, 3, padding=1), nn.Conv2d(d, z, 3, padding=1)
        self.attn, self.norm = CrossAttention(d, d), nn.LayerNorm(d)

    def block(self, h: Tensor, ctx: Tensor) -> Tensor:
        return h + self.attn(self.norm(h), ctx)

    def forward(self, z: Tensor, t: Tensor, tokens: Tensor) -> Tensor:
        h = self.inp(z) + self.time(t)[..., None, None]
        b, c, hh, ww = h.shape
        seq = checkpoint(self.block, h.flatten(2).mT, self.text(tokens), use_reentrant=False)
        return self.out(F.gelu(seq.mT.reshape(b, c, hh, ww)))


def disabled_train(self, mode: bool = True):
    """Overwrite model.train with this function to keep train/eval mode as it is."""
    return self


class Model(pl.LightningModule):
    def __init__(self, lr: float = 1e-3, parameterization: str = "eps"):
        super().__init__()
        self.save_hyperparameters()
        self.first_stage = FirstStage().eval()
        self.first_stage.train = disabled_train.__get__(self.first_stage)
        for p in self.first_stage.parameters():
            p.requires_grad = False
        self.net = Denoiser()
        self.register_buffer("scale_factor", torch.tensor(1.0))
        self.register_buffer("ac", torch.linspace(0.99, 0.05, 10))

    @torch.no_grad()
    def on_train_batch_start(self, batch, batch_idx):
        if self.global_step == 0:
            z = self.first_stage.encode(batch[0]).detach()
            self.scale_factor = 1.0 / z.flatten().std()

    @torch.no_grad()
    def get_input(self, batch) -> tuple[Tensor, Tensor]:
        x, tokens = batch
        return self.scale_factor * self.first_stage.encode(x), tokens

    def target(self, z: Tensor, noise: Tensor, a: Tensor) -> Tensor:
        match self.hparams.parameterization:
            case "eps":
                return noise
            case "x0":
                return z
            case _:
                return a.sqrt() * noise - (1 - a).sqrt() * z

    def training_step(self, batch, batch_idx):
        z, tokens = self.get_input(batch)
        t, noise = torch.randint(0, 10, (len(z),)), torch.randn_like(z)
        a = self.ac[t].view(-1, 1, 1, 1)
        pred = self.net(a.sqrt() * z + (1 - a).sqrt() * noise, t, tokens)
        per = F.mse_loss(pred, self.target(z, noise, a), reduction="none").mean((1, 2, 3))
        self.log_dict({"loss_simple": per.mean(), "loss_vlb": (per * (1 - a.flatten())).mean().item()})
        if batch_idx == 0:
            with torch.no_grad():
                self.log("recon", self.first_stage.decode(z / self.scale_factor).abs().mean())
        return per.mean()

    def configure_optimizers(self):
        return torch.optim.AdamW(list(self.net.parameters()), lr=self.hparams.lr)


def dataloader():
    g = torch.Generator().manual_seed(3102)
    return DataLoader(TensorDataset(torch.randn(12, 3, 8, 8, generator=g), torch.randint(0, 12, (12, 4), generator=g)), batch_size=4)


EXPECT = {'verdict': 'healthy',
 'why': 'The first stage is frozen; the denoiser gets everything, also through '
        'the checkpointed block.',
 'all_grads_by_step': 1,
 'source': 'held'}
