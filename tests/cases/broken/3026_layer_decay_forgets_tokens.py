# SPDX-License-Identifier: Apache-2.0
"""Vision transformer with layer-wise decay: class token and positions belong to no group."""
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


class Mlp(nn.Module):
    def __init__(self, d: int, r: int = 2):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(d, r * d), nn.Linear(r * d, d)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x)))


class LayerScale(nn.Module):
    def __init__(self, d: int, init: float = 1e-1):
        super().__init__()
        self.gamma = nn.Parameter(init * torch.ones(d))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gamma


class Block(nn.Module):
    def __init__(self, d: int, heads: int):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.attn = nn.MultiheadAttention(d, heads, batch_first=True)
        self.mlp, self.ls1, self.ls2 = Mlp(d), LayerScale(d), LayerScale(d)

    def forward(self, x: Tensor) -> Tensor:
        h = self.norm1(x)
        x = x + self.ls1(self.attn(h, h, h, need_weights=False)[0])
        return x + self.ls2(self.mlp(self.norm2(x)))


class ViT(nn.Module):
    def __init__(self, d: int = 12, depth: int = 3, patch: int = 4, size: int = 8, classes: int = 3):
        super().__init__()
        self.patch_embed = nn.Conv2d(3, d, patch, patch)
        self.cls_token = nn.Parameter(torch.randn(1, 1, d) * 0.02)
        self.pos_embed = nn.Parameter(torch.randn(1, (size // patch) ** 2 + 1, d) * 0.02)
        self.blocks = nn.ModuleList([Block(d, 2) for _ in range(depth)])
        self.norm, self.head = nn.LayerNorm(d), nn.Linear(d, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch_embed(x).flatten(2).mT
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], 1) + self.pos_embed
        for blk in self.blocks:
            x = blk(x)
        return self.head(self.norm(x)[:, 0])


def layer_id(name: str, depth: int) -> Optional[int]:
    if name.startswith("patch_embed"):
        return 0
    if name.startswith("blocks."):
        return int(name.split(".")[1]) + 1
    return depth + 1 if name.startswith(("norm", "head")) else None


def param_groups_lrd(model: ViT, lr: float, decay: float, wd: float) -> list[dict]:
    groups: dict[tuple, dict] = {}
    depth = len(model.blocks)
    for name, p in model.named_parameters():
        idx = layer_id(name, depth)
        if idx is None:
            continue
        key = (idx, p.ndim == 1)
        groups.setdefault(key, {"params": [], "lr": lr * decay ** (depth + 1 - idx), "weight_decay": 0.0 if p.ndim == 1 else wd})
        groups[key]["params"].append(p)
    return list(groups.values())


class Model(pl.LightningModule):
    def __init__(self, lr: float = 1e-3, decay: float = 0.75, wd: float = 0.05):
        super().__init__()
        self.save_hyperparameters()
        self.vit = ViT()
        self.acc = torchmetrics.classification.MulticlassAccuracy(3)

    def training_step(self, batch, batch_idx):
        x, y = batch
        lam = float(np.random.beta(0.8, 0.8))
        perm = torch.randperm(len(x))
        logits = self.vit(lam * x + (1 - lam) * x[perm])
        loss = lam * F.cross_entropy(logits, y) + (1 - lam) * F.cross_entropy(logits, y[perm])
        self.acc(logits, y)
        self.log_dict({"loss": loss, "lam": lam})
        self.log("acc", self.acc)
        return loss

    def configure_optimizers(self):
        hp = self.hparams
        opt = torch.optim.AdamW(param_groups_lrd(self.vit, hp.lr, hp.decay, hp.wd))  # <-- CAUSE
        return [opt], [torch.optim.lr_scheduler.CosineAnnealingLR(opt, 20)]


def dataloader():
    g = torch.Generator().manual_seed(3026)
    return DataLoader(TensorDataset(torch.randn(12, 3, 8, 8, generator=g), torch.randint(0, 3, (12,), generator=g)), batch_size=4)


EXPECT = {'verdict': 'broken',
 'symptom': 'not_optimized',
 'cause': 'optimizer_params',
 'params': ['vit.cls_token', 'vit.pos_embed'],
 'metric_like': None,
 'source': 'held',
 'notes': '',
 'line_marker': '# <-- CAUSE'}
