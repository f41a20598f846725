# SPDX-License-Identifier: Apache-2.0
"""Survival analysis: the partial likelihood is divided by the number of events, and one batch has none."""
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


class Standardizer(nn.Module):
    def __init__(self, dim: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("std", torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) / (self.std + 1e-6)


class RiskNet(nn.Module):
    def __init__(self, dim: int, hidden: list[int], dropout: float):
        super().__init__()
        dims = [dim, *hidden]
        self.scale = Standardizer(dim)
        self.layers = nn.ModuleList([
            nn.Sequential(nn.Linear(i, o), nn.SELU(), nn.AlphaDropout(dropout)) for i, o in zip(dims, dims[1:])
        ])
        self.risk = nn.Linear(dims[-1], 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.scale(x)
        for layer in self.layers:
            x = layer(x)
        return self.risk(x).squeeze(-1)


class CoxLoss(nn.Module):
    """Negative log partial likelihood with Breslow's handling of ties."""

    def __init__(self, l2: float = 0.0):
        super().__init__()
        self.l2 = l2

    def forward(self, risk: Tensor, time: Tensor, event: Tensor) -> Tensor:
        order = torch.argsort(time, descending=True)
        risk, event = risk[order], event[order]
        log_cum = torch.logcumsumexp(risk, dim=0)
        return -((risk - log_cum) * event).sum() / event.sum()  # <-- CAUSE


def concordance(risk: np.ndarray, time: np.ndarray, event: np.ndarray) -> float:
    good = total = 0
    for i in range(len(time)):
        for j in range(len(time)):
            if event[i] and time[i] < time[j]:
                total += 1
                good += risk[i] > risk[j]
    return good / total if total else 0.5


class Model(pl.LightningModule):
    def __init__(self, dim: int = 6, hidden: tuple[int, ...] = (12, 8), dropout: float = 0.05, lr: float = 1e-2):
        super().__init__()
        self.save_hyperparameters()
        self.net, self.loss = RiskNet(dim, list(hidden), dropout), CoxLoss()

    def training_step(self, batch, batch_idx):
        x, time, event = batch
        risk = self.net(x)
        loss = self.loss(risk, time, event)
        c = concordance(risk.detach().numpy(), time.numpy(), event.numpy())
        self.log_dict({"loss": loss, "c_index": c, "events": event.sum()})
        return loss

    def configure_optimizers(self):
        opt = torch.optim.Adam(self.parameters(), lr=self.hparams.lr)
        return {"optimizer": opt, "lr_scheduler": torch.optim.lr_scheduler.CosineAnnealingLR(opt, 10)}


def dataloader():
    g = torch.Generator().manual_seed(3025)
    event = (torch.rand(24, generator=g) < 0.7).float()
    event[8:16] = 0
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.rand(24, generator=g), event), batch_size=8)


EXPECT = {'verdict': 'broken',
 'symptom': 'nonfinite',
 'cause': 'torch.div',
 'params': 'all',
 'metric_like': None,
 'source': 'held',
 'notes': '',
 'cause_alt': ['Tensor.__truediv__', 'Tensor.div'],
 'onset_step': 2,
 'line_marker': '# <-- CAUSE'}
