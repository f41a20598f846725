# SPDX-License-Identifier: Apache-2.0
"""CLIP: features are gathered from all workers inside no_grad, and the local ones are not put back."""
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


def all_gather_stub(tensor: Tensor, world_size: int) -> list[Tensor]:
    """Stands for torch.distributed.all_gather."""
    return [tensor.clone() for _ in range(world_size)]


class GatherFeatures:
    def __init__(self, world_size: int = 1, local_loss: bool = False):
        self.world_size, self.local_loss = world_size, local_loss

    @torch.no_grad()  # <-- CAUSE
    def concat_all_gather(self, tensor: Tensor) -> Tensor:
        parts = all_gather_stub(tensor, self.world_size)
        return torch.cat(parts, dim=0)  # <-- ALSO

    def __call__(self, *features: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.concat_all_gather(f.contiguous()) for f in features)


class QuickGELU(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(1.702 * x)


class ResidualAttentionBlock(nn.Module):
    def __init__(self, d_model: int, n_head: int, attn_mask: Optional[Tensor] = None):
        super().__init__()
        self.attn = nn.MultiheadAttention(d_model, n_head, batch_first=True)
        self.ln_1, self.ln_2 = nn.LayerNorm(d_model), nn.LayerNorm(d_model)
        self.mlp = nn.Sequential(OrderedDict([
            ("c_fc", nn.Linear(d_model, d_model * 4)), ("gelu", QuickGELU()), ("c_proj", nn.Linear(d_model * 4, d_model)),
        ]))
        self.attn_mask = attn_mask

    def forward(self, x: Tensor) -> Tensor:
        h = self.ln_1(x)
        x = x + self.attn(h, h, h, need_weights=False, attn_mask=self.attn_mask)[0]
        return x + self.mlp(self.ln_2(x))


class VisionTower(nn.Module):
    def __init__(self, width: int, patch: int, out_dim: int):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, patch, patch, bias=False)
        self.class_embedding = nn.Parameter(width**-0.5 * torch.randn(width))
        self.block = ResidualAttentionBlock(width, 2)
        self.proj = nn.Parameter(width**-0.5 * torch.randn(width, out_dim))

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(x).flatten(2).permute(0, 2, 1)
        cls = self.class_embedding + torch.zeros(x.size(0), 1, x.size(-1), dtype=x.dtype)
        x = self.block(torch.cat([cls, x], dim=1))
        return x[:, 0] @ self.proj


class TextTower(nn.Module):
    def __init__(self, vocab: int, width: int, length: int, out_dim: int):
        super().__init__()
        self.token = nn.Embedding(vocab, width)
        self.positional = nn.Parameter(0.01 * torch.randn(length, width))
        mask = torch.full((length, length), float("-inf")).triu_(1)
        self.block = ResidualAttentionBlock(width, 2, mask)
        self.ln_final = nn.LayerNorm(width)
        self.text_projection = nn.Parameter(width**-0.5 * torch.randn(width, out_dim))

    def forward(self, text: Tensor) -> Tensor:
        x = self.ln_final(self.block(self.token(text) + self.positional))
        # features from the eot embedding (the highest number in each sequence)
        x = x[torch.arange(x.shape[0]), text.argmax(dim=-1)]
        return x @ self.text_projection


class ClipLoss(nn.Module):
    def __init__(self, gather: GatherFeatures):
        super().__init__()
        self.gather = gather

    def get_logits(self, image: Tensor, text: Tensor, scale: float) -> tuple[Tensor, Tensor]:
        image, text = self.gather(image, text)
        logits = scale * image @ text.t()
        return logits, logits.t()

    def forward(self, image: Tensor, text: Tensor, scale: float) -> tuple[Tensor, Tensor]:
        per_image, per_text = self.get_logits(image, text, scale)
        labels = torch.arange(per_image.shape[0])
        loss = (F.cross_entropy(per_image, labels) + F.cross_entropy(per_text, labels)) / 2
        return loss, (per_image.argmax(-1) == labels).float().mean()


class Model(pl.LightningModule):
    def __init__(self, embed_dim: int = 8, lr: float = 5e-4, temperature: float = 0.07):
        super().__init__()
        self.save_hyperparameters()
        self.visual = VisionTower(12, 4, embed_dim)
        self.textual = TextTower(20, 12, 6, embed_dim)
        self.loss_fn = ClipLoss(GatherFeatures(world_size=1))

    def encode(self, batch):
        image, text = batch
        return F.normalize(self.visual(image), dim=-1), F.normalize(self.textual(text), dim=-1)

    def training_step(self, batch, batch_idx):
        image, text = self.encode(batch)
        loss, acc = self.loss_fn(image, text, 1.0 / self.hparams.temperature)
        self.log_dict({"train/loss": loss, "train/acc": acc, "scale": 1.0 / self.hparams.temperature})
        return loss

    def configure_optimizers(self):
        exclude = lambda n, p: p.ndim < 2 or "bn" in n or "ln" in n or "bias" in n
        named = list(self.named_parameters())
        return torch.optim.AdamW([
            {"params": [p for n, p in named if exclude(n, p)], "weight_decay": 0.0},
            {"params": [p for n, p in named if not exclude(n, p)], "weight_decay": 0.2},
        ], lr=self.hparams.lr, betas=(0.9, 0.98), eps=1e-6)


def dataloader():
    g = torch.Generator().manual_seed(3001)
    return DataLoader(TensorDataset(torch.randn(12, 3, 8, 8, generator=g), torch.randint(0, 20, (12, 6), generator=g)), batch_size=4)


EXPECT = {'verdict': 'broken',
 'symptom': 'no_grad_loss',
 'cause': 'no_grad',
 'params': 'all',
 'metric_like': None,
 'source': 'held',
 'notes': '',
 'cause_alt': ['torch.no_grad'],
 'line_marker': '# <-- CAUSE',
 'also_marker': '# <-- ALSO'}
