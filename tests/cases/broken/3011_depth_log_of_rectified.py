# SPDX-License-Identifier: Apache-2.0
"""Monocular depth with the scale-invariant log loss: the decoder ends in a ReLU and the log has no floor."""
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


class ConvBlock(nn.Sequential):
    def __init__(self, i: int, o: int, stride: int = 1):
        super().__init__(nn.Conv2d(i, o, 3, stride, 1, bias=False), nn.BatchNorm2d(o), nn.ELU())


class Encoder(nn.Module):
    def __init__(self, dims: tuple[int, ...] = (3, 8, 12, 16)):
        super().__init__()
        self.stages = nn.ModuleList([ConvBlock(i, o, 2) for i, o in zip(dims, dims[1:])])

    def forward(self, x: Tensor) -> list[Tensor]:
        feats = []
        for stage in self.stages:
            x = stage(x)
            feats.append(x)
        return feats


class Decoder(nn.Module):
    def __init__(self, dims: tuple[int, ...] = (16, 12, 8)):
        super().__init__()
        self.up = nn.ModuleList([ConvBlock(a + b, b) for a, b in zip(dims, dims[1:])])
        self.out = nn.Conv2d(dims[-1], 1, 3, padding=1)

    def forward(self, feats: list[Tensor], size: tuple[int, int]) -> Tensor:
        *skips, x = feats
        for block, skip in zip(self.up, reversed(skips)):
            x = F.interpolate(x, size=skip.shape[-2:], mode="nearest")
            x = block(torch.cat([x, skip], dim=1))
        return F.relu(F.interpolate(self.out(x), size=size, mode="bilinear", align_corners=False))


class SiLogLoss(nn.Module):
    """Scale-invariant log loss of Eigen et al."""

    def __init__(self, lambd: float = 0.5, alpha: float = 10.0):
        super().__init__()
        self.lambd, self.alpha = lambd, alpha

    def forward(self, pred: Tensor, target: Tensor, valid: Tensor) -> Tensor:
        diff = torch.log(pred[valid]) - torch.log(target[valid])  # <-- CAUSE
        var = diff.pow(2).mean() - self.lambd * diff.mean().pow(2)
        return self.alpha * torch.sqrt(var)


def gradient_loss(pred: Tensor, target: Tensor) -> Tensor:
    dx = lambda t: t[..., 1:] - t[..., :-1]
    dy = lambda t: t[..., 1:, :] - t[..., :-1, :]
    return F.l1_loss(dx(pred), dx(target)) + F.l1_loss(dy(pred), dy(target))


class Model(pl.LightningModule):
    def __init__(self, lr: float = 1e-3, min_depth: float = 1e-3, max_depth: float = 10.0):
        super().__init__()
        self.save_hyperparameters()
        self.encoder, self.decoder = Encoder(), Decoder()
        self.silog = SiLogLoss()
        self.abs_rel = torchmetrics.MeanMetric()

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.encoder(x), x.shape[-2:])

    def training_step(self, batch, batch_idx):
        img, depth = batch
        if torch.rand(()) < 0.5:
            img, depth = img.flip(-1), depth.flip(-1)
        pred = self(img)
        valid = (depth > self.hparams.min_depth) & (depth < self.hparams.max_depth)
        loss = self.silog(pred, depth, valid) + 0.5 * gradient_loss(pred, depth)
        self.abs_rel.update(((pred - depth).abs() / depth)[valid].detach())
        self.log("loss", loss)
        self.log("abs_rel", self.abs_rel)
        return loss

    def configure_optimizers(self):
        opt = torch.optim.AdamW(self.parameters(), lr=self.hparams.lr)
        return [opt], [torch.optim.lr_scheduler.MultiStepLR(opt, [5, 10])]


def dataloader():
    g = torch.Generator().manual_seed(3011)
    return DataLoader(TensorDataset(torch.rand(8, 3, 16, 16, generator=g), 0.5 + 5 * torch.rand(8, 1, 16, 16, generator=g)), batch_size=4)


EXPECT = {'verdict': 'broken',
 'symptom': 'nonfinite',
 'cause': 'torch.log',
 'params': 'all',
 'metric_like': None,
 'source': 'held',
 'notes': '',
 'cause_alt': ['Tensor.log'],
 'line_marker': '# <-- CAUSE'}
