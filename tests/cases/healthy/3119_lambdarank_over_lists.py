# SPDX-License-Identifier: Apache-2.0
"""LambdaRank: ranks and gains without grad weight a pairwise logistic loss; NDCG is logged."""
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


class ListEncoder(nn.Module):
    """Scores the documents of one query, each in the light of the others."""

    def __init__(self, d: int, h: int = 12):
        super().__init__()
        self.inp, self.attn = nn.Linear(d, h), nn.MultiheadAttention(h, 2, batch_first=True)
        self.norm, self.out = nn.LayerNorm(h), nn.Linear(h, 1)

    def forward(self, x: Tensor, pad: Tensor) -> Tensor:
        h = torch.log1p(x.abs()) * x.sign()
        h = self.inp(h)
        a, _ = self.attn(h, h, h, key_padding_mask=pad)
        return self.out(self.norm(h + a)).squeeze(-1)


def dcg(rel: Tensor, k: Optional[int] = None) -> Tensor:
    rel = rel[:, :k]
    return ((2.0**rel - 1) / torch.log2(torch.arange(rel.size(1)) + 2.0)).sum(1)


class LambdaLoss(nn.Module):
    PAD = -1

    def __init__(self, sigma: float = 1.0, k: int = 5, scheme: str = "lambdarank"):
        super().__init__()
        self.sigma, self.k = sigma, k
        self.weigh = {"lambdarank": self._lambdarank, "ranknet": self._ranknet}[scheme]

    def _lambdarank(self, gain: Tensor, disc: Tensor) -> Tensor:
        return (gain[:, :, None] - gain[:, None]).abs() * (1 / disc[:, :, None] - 1 / disc[:, None]).abs()

    def _ranknet(self, gain: Tensor, disc: Tensor) -> Tensor:
        return torch.ones(())

    def forward(self, scores: Tensor, rel: Tensor) -> Tensor:
        pad = rel == self.PAD
        scores, rel = scores.clone(), rel.clone()
        scores[pad], rel[pad] = float("-inf"), float("-inf")
        sorted_scores, order = scores.sort(descending=True, dim=-1)
        rel_sorted = rel.gather(1, order)
        diffs = rel_sorted[:, :, None] - rel_sorted[:, None]
        pairs = torch.isfinite(diffs) & (diffs > 0)
        with torch.no_grad():
            best = rel.sort(descending=True, dim=-1).values.clamp(min=0)
            ideal = dcg(best, self.k).clamp(min=1e-6)
            gain = (2.0 ** rel_sorted.clamp(min=0) - 1) / ideal[:, None]
            disc = torch.log2(torch.arange(rel.size(1)) + 2.0)[None]
            w = self.weigh(gain, disc)
        s = (sorted_scores[:, :, None] - sorted_scores[:, None]).clamp(min=-1e8, max=1e8)
        s = s.masked_fill(s.isnan(), 0.0)
        p = torch.sigmoid(self.sigma * s).clamp(min=1e-10)
        losses = torch.log2(p.pow(w).clamp(min=1e-10))
        return -losses[pairs].sum() / pairs.sum().clamp(min=1)


class Model(pl.LightningModule):
    def __init__(self, d: int = 5, lr: float = 1e-3):
        super().__init__()
        self.save_hyperparameters()
        self.encoder, self.criterion = ListEncoder(d), LambdaLoss()
        self.ndcg = torchmetrics.MeanMetric()

    def training_step(self, batch, batch_idx):
        x, rel = batch
        scores = self.encoder(x, rel < 0)
        loss = self.criterion(scores, rel)
        order = scores.detach().masked_fill(rel < 0, -1e9).argsort(1, descending=True)
        r = rel.clamp(min=0)
        self.ndcg.update(dcg(r.gather(1, order), 5) / dcg(r.sort(1, True).values, 5).clamp(min=1e-6))
        self.log("loss", loss)
        self.log("ndcg@5", self.ndcg)
        return loss

    def configure_optimizers(self):
        return torch.optim.NAdam(self.parameters(), lr=self.hparams.lr)


def dataloader():
    g = torch.Generator().manual_seed(3119)
    rel = torch.randint(0, 4, (16, 6), generator=g).float()
    rel[::2, 5] = -1
    return DataLoader(TensorDataset(torch.randn(16, 6, 5, generator=g), rel), batch_size=4)


EXPECT = {'verdict': 'healthy',
 'why': 'Sorted values carry the gradient, ranks and gains are weights; the '
        'output bias cancels in differences up to rounding.',
 'all_grads_by_step': 1,
 'source': 'held'}
