# SPDX-License-Identifier: Apache-2.0
"""Masked autoencoder: learned positions are resized to the grid of the batch with numpy."""
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


class PatchEmbed(nn.Module):
    def __init__(self, patch: int, dim: int):
        super().__init__()
        self.patch, self.proj = patch, nn.Conv2d(1, dim, patch, patch)

    def forward(self, x: Tensor) -> Tensor:
        return self.proj(x).flatten(2).transpose(1, 2)


class Attention(nn.Module):
    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.heads, self.scale = heads, (dim // heads) ** -0.5
        self.qkv, self.proj = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        b, n, d = x.shape
        q, k, v = self.qkv(x).view(b, n, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        attn = einsum("bhid,bhjd->bhij", q, k).mul(self.scale).softmax(-1)
        return self.proj(einsum("bhij,bhjd->bhid", attn, v).transpose(1, 2).reshape(b, n, d))


class Block(nn.Module):
    def __init__(self, dim: int, heads: int = 2):
        super().__init__()
        self.n1, self.attn, self.n2 = nn.LayerNorm(dim), Attention(dim, heads), nn.LayerNorm(dim)
        self.mlp = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.n1(x))
        return x + self.mlp(self.n2(x))


def resize_pos_embed(pos: Tensor, grid: int) -> Tensor:
    """Bilinear resize of an (n, d) table to (grid * grid, d)."""
    old = int(math.sqrt(pos.shape[1]))
    table = pos.detach().cpu().numpy().reshape(old, old, -1)  # <-- CAUSE
    at = np.linspace(0, old - 1, grid)
    lo, w = np.floor(at).astype(int), (at - np.floor(at))[:, None]
    hi = np.minimum(lo + 1, old - 1)
    rows = table[lo] * (1 - w[..., None]) + table[hi] * w[..., None]
    full = rows[:, lo] * (1 - w[None]) + rows[:, hi] * w[None]
    return torch.from_numpy(full.reshape(1, grid * grid, -1)).to(pos)


class Model(pl.LightningModule):
    def __init__(self, dim: int = 16, dec_dim: int = 12, patch: int = 4, mask_ratio: float = 0.5):
        super().__init__()
        self.save_hyperparameters()
        self.patch_embed = PatchEmbed(patch, dim)
        self.pos_embed = nn.Parameter(torch.randn(1, 4, dim) * 0.02)
        self.blocks = nn.ModuleList([Block(dim) for _ in range(2)])
        self.norm = nn.LayerNorm(dim)
        self.decoder_embed = nn.Linear(dim, dec_dim)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, dec_dim))
        self.decoder_pos = nn.Parameter(torch.randn(1, 16, dec_dim) * 0.02)
        self.decoder = Block(dec_dim)
        self.decoder_pred = nn.Linear(dec_dim, patch * patch)

    def patchify(self, imgs: Tensor) -> Tensor:
        p = self.hparams.patch
        h = imgs.shape[2] // p
        x = imgs.reshape(len(imgs), 1, h, p, h, p)
        return torch.einsum("nchpwq->nhwpqc", x).reshape(len(imgs), h * h, -1)

    def random_masking(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        n, length, d = x.shape
        keep = int(length * (1 - self.hparams.mask_ratio))
        shuffle = torch.rand(n, length).argsort(dim=1)
        restore = shuffle.argsort(dim=1)
        kept = torch.gather(x, 1, shuffle[:, :keep, None].repeat(1, 1, d))
        mask = torch.ones(n, length)
        mask[:, :keep] = 0
        return kept, mask.gather(1, restore), restore

    def forward(self, imgs: Tensor) -> tuple[Tensor, Tensor]:
        x = self.patch_embed(imgs)
        x = x + resize_pos_embed(self.pos_embed, int(x.shape[1] ** 0.5))
        x, mask, restore = self.random_masking(x)
        for blk in self.blocks:
            x = blk(x)
        x = self.decoder_embed(self.norm(x))
        tokens = self.mask_token.repeat(len(x), restore.shape[1] - x.shape[1], 1)
        x = torch.cat([x, tokens], dim=1)
        x = torch.gather(x, 1, restore.unsqueeze(-1).repeat(1, 1, x.shape[2]))
        return self.decoder_pred(self.decoder(x + self.decoder_pos)), mask

    def training_step(self, batch, batch_idx):
        (imgs,) = batch
        pred, mask = self(imgs)
        target = self.patchify(imgs)
        mean, var = target.mean(-1, keepdim=True), target.var(-1, keepdim=True)
        target = (target - mean) / (var + 1e-6) ** 0.5
        loss = ((pred - target) ** 2).mean(-1)
        loss = (loss * mask).sum() / mask.sum()
        self.log("mae/loss", loss)
        return loss

    def configure_optimizers(self):
        opt = torch.optim.AdamW(self.parameters(), lr=1e-3, betas=(0.9, 0.95))
        return [opt], [torch.optim.lr_scheduler.CosineAnnealingLR(opt, 10)]


def dataloader():
    g = torch.Generator().manual_seed(3003)
    return DataLoader(TensorDataset(torch.randn(12, 1, 16, 16, generator=g)), batch_size=4)


EXPECT = {'verdict': 'broken',
 'symptom': 'missing',
 'cause': 'Tensor.detach',
 'params': ['pos_embed'],
 'metric_like': None,
 'source': 'held',
 'notes': '',
 'cause_alt': ['Tensor.numpy'],
 'line_marker': '# <-- CAUSE'}
