# SPDX-License-Identifier: Apache-2.0
"""LoRA with integer base weights, adapters after each layer, trained norms, frozen everything else."""
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


def quantise(w: Tensor, bits: int = 8) -> tuple[Tensor, Tensor]:
    scale = w.abs().amax(1, keepdim=True) / (2 ** (bits - 1) - 1)
    return torch.round(w / scale).to(torch.int8), scale


class QuantLinear(nn.Module):
    def __init__(self, base: nn.Linear):
        super().__init__()
        q, s = quantise(base.weight.detach())
        self.register_buffer("qweight", q)
        self.register_buffer("scale", s)
        self.register_buffer("bias", base.bias.detach().clone())
        self.in_features, self.out_features = base.in_features, base.out_features

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.qweight.to(x.dtype) * self.scale, self.bias)


class LoRALinear(nn.Module):
    def __init__(self, base: nn.Linear, r: int = 2, alpha: int = 4, dropout: float = 0.0):
        super().__init__()
        self.base = QuantLinear(base)
        self.lora_A = nn.Parameter(torch.empty(r, base.in_features))
        self.lora_B = nn.Parameter(torch.zeros(base.out_features, r))
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))
        self.scaling, self.drop = alpha / r, nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        return self.base(x) + (self.drop(x) @ self.lora_A.T @ self.lora_B.T) * self.scaling


class Layer(nn.Module):
    def __init__(self, d: int, heads: int = 2):
        super().__init__()
        self.heads = heads
        self.q_proj, self.k_proj, self.v_proj, self.o_proj = (nn.Linear(d, d) for _ in range(4))
        self.up, self.down = nn.Linear(d, 2 * d), nn.Linear(2 * d, d)
        self.norm1, self.norm2 = nn.LayerNorm(d), nn.LayerNorm(d)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        h = self.norm1(x)
        q, k, v = (p(h).unflatten(-1, (self.heads, -1)).transpose(1, 2) for p in (self.q_proj, self.k_proj, self.v_proj))
        a = F.scaled_dot_product_attention(q, k, v, attn_mask=mask[:, None, None, :])
        x = x + self.o_proj(a.transpose(1, 2).flatten(2))
        return x + self.down(F.silu(self.up(self.norm2(x))))


class Backbone(nn.Module):
    def __init__(self, vocab: int = 20, d: int = 8, depth: int = 2):
        super().__init__()
        self.embed = nn.Embedding(vocab, d)
        self.layers = nn.ModuleList([Layer(d) for _ in range(depth)])

    def forward(self, ids: Tensor) -> Tensor:
        x, mask = self.embed(ids), ids.ne(0)
        for layer in self.layers:
            x = layer(x, mask)
        last = mask.sum(1) - 1
        return x[torch.arange(len(x)), last]


def inject(model: nn.Module, targets: tuple[str, ...], r: int) -> int:
    count = 0
    for name, module in list(model.named_modules()):
        if isinstance(module, nn.Linear) and name.endswith(targets):
            parent = model.get_submodule(name.rpartition(".")[0])
            setattr(parent, name.rpartition(".")[2], LoRALinear(module, r))
            count += 1
    return count


def mark_only_lora_as_trainable(model: nn.Module, extra: tuple[str, ...]) -> None:
    for n, p in model.named_parameters():
        p.requires_grad = "lora_" in n or any(e in n for e in extra)


class Model(pl.LightningModule):
    def __init__(self, r: int = 2, classes: int = 2):
        super().__init__()
        self.save_hyperparameters()
        self.backbone = Backbone()
        self.replaced = inject(self.backbone, ("q_proj", "v_proj", "up"), r)
        mark_only_lora_as_trainable(self.backbone, ("norm",))
        self.score = nn.Linear(8, classes, bias=False)
        self.auroc = torchmetrics.classification.BinaryAUROC()

    def training_step(self, batch, batch_idx):
        ids, y = batch
        logits = self.score(self.backbone(ids))
        loss = F.cross_entropy(logits, y)
        self.auroc.update(logits.softmax(-1)[:, 1].detach(), y)
        trainable = sum(p.numel() for p in self.parameters() if p.requires_grad)
        self.log_dict({"loss": loss, "share": trainable / sum(p.numel() for p in self.parameters())})
        return loss

    def on_train_epoch_end(self):
        self.log("auroc", self.auroc.compute())
        self.auroc.reset()

    def configure_optimizers(self):
        return torch.optim.AdamW([p for p in self.parameters() if p.requires_grad], lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(3118)
    ids = torch.randint(1, 20, (24, 6), generator=g)
    ids[::4, 4:] = 0
    return DataLoader(TensorDataset(ids, torch.randint(0, 2, (24,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy',
 'why': 'B starts at zero, so A gets its first gradient in the second step; '
        'the rest is frozen or a buffer.',
 'all_grads_by_step': 2,
 'source': 'held',
 'late': {'*lora_A': 2}}
