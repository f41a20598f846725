# SPDX-License-Identifier: Apache-2.0
"""Mixture of experts whose noisy gate draws its logits with torch.normal."""
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


class Expert(nn.Sequential):
    def __init__(self, dim: int, hidden: int):
        super().__init__(nn.Linear(dim, hidden), nn.GELU(), nn.Linear(hidden, dim))


class NoisyGate(nn.Module):
    """Noisy gating of Shazeer et al.: clean logits plus noise of a learned size."""

    def __init__(self, dim: int, experts: int):
        super().__init__()
        self.w_gate = nn.Parameter(torch.randn(dim, experts) * 0.1)
        self.w_noise = nn.Parameter(torch.randn(dim, experts) * 0.1)

    def forward(self, x: Tensor) -> Tensor:
        clean = x @ self.w_gate
        if not self.training:
            return clean.softmax(-1)
        std = F.softplus(x @ self.w_noise) + 1e-2
        noisy = torch.normal(clean, std)  # <-- CAUSE
        return noisy.softmax(-1)


class MoE(nn.Module):
    def __init__(self, dim: int, experts: int, hidden: int, k: int):
        super().__init__()
        self.gate, self.k = NoisyGate(dim, experts), k
        self.experts = nn.ModuleList([Expert(dim, hidden) for _ in range(experts)])

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        flat = x.reshape(-1, x.size(-1))
        gates = self.gate(flat)
        values, index = gates.topk(self.k, dim=-1)
        values = values / values.sum(-1, keepdim=True)
        weights = torch.zeros_like(gates).scatter(1, index, values)
        out = torch.zeros_like(flat)
        for e, expert in enumerate(self.experts):
            rows = weights[:, e].nonzero().squeeze(-1)
            if rows.numel():
                out = out.index_add(0, rows, weights[rows, e, None] * expert(flat[rows]))
        return out.view_as(x), gates


def load_balance(gates: Tensor) -> Tensor:
    importance = gates.sum(0)
    return importance.var() / (importance.mean() ** 2 + 1e-10)


class Model(pl.LightningModule):
    def __init__(self, dim: int = 8, experts: int = 3, classes: int = 4, aux_weight: float = 1e-2):
        super().__init__()
        self.save_hyperparameters()
        self.embed = nn.Linear(6, dim)
        self.norm, self.moe = nn.LayerNorm(dim), MoE(dim, experts, 16, 2)
        self.head = nn.Linear(dim, classes)
        self.f1 = torchmetrics.classification.MulticlassF1Score(classes)

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = self.embed(x)
        out, gates = self.moe(self.norm(h))
        logits = self.head((h + out).mean(1))
        ce, aux = F.cross_entropy(logits, y, label_smoothing=0.05), load_balance(gates)
        loss = ce + self.hparams.aux_weight * aux
        self.f1(logits, y)
        self.log("ce", ce)
        self.log("f1", self.f1, prog_bar=True)
        self.log("expert_usage", gates.detach().argmax(-1).bincount(minlength=3).float().std())
        return loss

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(3020)
    return DataLoader(TensorDataset(torch.randn(24, 5, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken',
 'symptom': 'zero',
 'cause': 'torch.normal',
 'params': ['moe.gate.*'],
 'metric_like': None,
 'source': 'held',
 'notes': '',
 'weight_decay': True,
 'line_marker': '# <-- CAUSE'}
