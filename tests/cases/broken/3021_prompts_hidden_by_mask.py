# SPDX-License-Identifier: Apache-2.0
"""Prompt tuning on a frozen encoder: the mask of the padded text marks the prompts as padding too."""
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


class FrozenLM(nn.Module):
    def __init__(self, vocab: int, dim: int):
        super().__init__()
        self.wte = nn.Embedding(vocab, dim, padding_idx=0)
        self.q, self.k, self.v, self.o = (nn.Linear(dim, dim) for _ in range(4))
        self.ln = nn.LayerNorm(dim)

    def attention(self, x: Tensor, mask: Tensor) -> Tensor:
        q, k, v = self.q(x), self.k(x), self.v(x)
        scores = torch.einsum("bqd,bkd->bqk", q, k) / q.size(-1) ** 0.5
        bias = torch.zeros_like(scores).masked_fill(~mask[:, None, :], -1e9)
        return self.o(torch.softmax(scores + bias, dim=-1) @ v)  # <-- ALSO

    def forward(self, embeds: Tensor, mask: Tensor) -> Tensor:
        return self.ln(embeds + self.attention(embeds, mask))


class SoftPrompt(nn.Module):
    def __init__(self, length: int, dim: int, init: Optional[Tensor] = None):
        super().__init__()
        self.embedding = nn.Parameter(torch.randn(length, dim) * 0.5 if init is None else init.clone())

    def prepend(self, embeds: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        b, n = embeds.size(0), len(self.embedding)
        prompt = self.embedding.unsqueeze(0).expand(b, -1, -1)
        mask = F.pad(mask, (n, 0), value=False)  # <-- CAUSE
        return torch.cat([prompt, embeds], dim=1), mask


class MeanPooler(nn.Module):
    def forward(self, h: Tensor, mask: Tensor) -> Tensor:
        m = mask.unsqueeze(-1).to(h.dtype)
        return (h * m).sum(1) / m.sum(1).clamp(min=1e-9)  # <-- ALSO


class Model(pl.LightningModule):
    def __init__(self, vocab: int = 25, dim: int = 12, prompt_len: int = 4, classes: int = 2, lr: float = 0.1):
        super().__init__()
        self.save_hyperparameters()
        self.lm = FrozenLM(vocab, dim)
        self.lm.requires_grad_(False)
        self.prompt = SoftPrompt(prompt_len, dim)
        self.pool, self.classifier = MeanPooler(), nn.Linear(dim, classes)
        self.metrics = torchmetrics.MetricCollection({
            "acc": torchmetrics.classification.MulticlassAccuracy(classes),
            "f1": torchmetrics.classification.MulticlassF1Score(classes),
        }, prefix="train/")

    def train(self, mode: bool = True):
        super().train(mode)
        self.lm.eval()
        return self

    def forward(self, ids: Tensor) -> Tensor:
        embeds, mask = self.prompt.prepend(self.lm.wte(ids), ids.ne(0))
        return self.classifier(self.pool(self.lm(embeds, mask), mask))

    def training_step(self, batch, batch_idx):
        ids, y = batch
        logits = self(ids)
        loss = F.cross_entropy(logits, y)
        self.log_dict(self.metrics(logits, y))
        self.log("train/loss", loss)
        self.log("prompt_norm", self.prompt.embedding.detach().norm())
        return loss

    def configure_optimizers(self):
        trainable = filter(lambda p: p.requires_grad, self.parameters())
        return torch.optim.AdamW(trainable, lr=self.hparams.lr, weight_decay=1e-5)


def dataloader():
    g = torch.Generator().manual_seed(3021)
    ids = torch.randint(1, 25, (18, 6), generator=g)
    ids[::3, 4:] = 0
    return DataLoader(TensorDataset(ids, torch.randint(0, 2, (18,), generator=g)), batch_size=6)


EXPECT = {'verdict': 'broken',
 'symptom': 'zero',
 'cause': 'torch.nn.functional.pad',
 'params': ['prompt.*'],
 'metric_like': None,
 'source': 'held',
 'notes': '',
 'cause_alt': ['Tensor.masked_fill', 'softmax', 'pad'],
 'quiet': ['lm.*'],
 'weight_decay': True,
 'line_marker': '# <-- CAUSE',
 'also_marker': '# <-- ALSO'}
