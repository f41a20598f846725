# SPDX-License-Identifier: Apache-2.0
"""Stereo matching: the cost volume is detached and marked as requiring grad again."""
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


def groupwise_correlation(a: Tensor, b: Tensor, groups: int) -> Tensor:
    n, c, h, w = a.shape
    return (a * b).view(n, groups, c // groups, h, w).mean(2)


class FeatureNet(nn.Module):
    def __init__(self, dim: int):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, dim, 3, padding=1, bias=False), nn.BatchNorm2d(dim), nn.ReLU())
        self.res = nn.Conv2d(dim, dim, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        return x + F.relu(self.res(x))


class CostVolume(nn.Module):
    """Correlation volume over all disparities up to `maxdisp`."""

    def __init__(self, maxdisp: int, groups: int):
        super().__init__()
        self.maxdisp, self.groups = maxdisp, groups

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        planes = []
        for d in range(self.maxdisp):
            shifted = F.pad(right, (d, 0))[..., : right.size(-1)]
            planes.append(groupwise_correlation(left, shifted, self.groups))
        volume = torch.stack(planes, dim=2).contiguous()
        return volume.detach().requires_grad_(True)  # <-- CAUSE


class Hourglass(nn.Module):
    def __init__(self, i: int, dim: int):
        super().__init__()
        self.down = nn.Conv3d(i, dim, 3, stride=2, padding=1)
        self.mid = nn.Conv3d(dim, dim, 3, padding=1)
        self.up = nn.ConvTranspose3d(dim, dim, 4, stride=2, padding=1)
        self.redir = nn.Conv3d(i, dim, 1)
        self.out = nn.Conv3d(dim, 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        h = F.relu(self.mid(F.relu(self.down(x))))
        return self.out(F.relu(self.up(h) + self.redir(x))).squeeze(1)


def disparity_regression(prob: Tensor) -> Tensor:
    disp = torch.arange(prob.size(1), dtype=prob.dtype).view(1, -1, 1, 1)
    return (prob * disp).sum(1)


def edge_aware_smoothness(disp: Tensor, img: Tensor) -> Tensor:
    d = disp / (disp.mean((1, 2), keepdim=True) + 1e-7)
    dx, dy = (d[:, :, 1:] - d[:, :, :-1]).abs(), (d[:, 1:] - d[:, :-1]).abs()
    wx = torch.exp(-(img[..., 1:] - img[..., :-1]).abs().mean(1))
    wy = torch.exp(-(img[..., 1:, :] - img[..., :-1, :]).abs().mean(1))
    return (dx * wx).mean() + (dy * wy).mean()


class Model(pl.LightningModule):
    def __init__(self, dim: int = 8, maxdisp: int = 8, groups: int = 2):
        super().__init__()
        self.save_hyperparameters()
        self.feature, self.volume = FeatureNet(dim), CostVolume(maxdisp, groups)
        self.aggregate = Hourglass(groups, dim)

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        cost = self.aggregate(self.volume(self.feature(left), self.feature(right)))
        return disparity_regression(F.softmax(cost, dim=1))

    def training_step(self, batch, batch_idx):
        left, right, disp = batch
        pred = self(left, right)
        mask = (disp < self.hparams.maxdisp) & (disp > 0)
        loss = F.smooth_l1_loss(pred[mask], disp[mask]) + 0.1 * edge_aware_smoothness(pred, left)
        with torch.no_grad():
            err = (pred - disp).abs()[mask]
            self.log_dict({"epe": err.mean(), "d1": (err > 3).float().mean()})
        self.log("loss", loss)
        return loss

    def configure_optimizers(self):
        return torch.optim.RMSprop(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(3010)
    return DataLoader(TensorDataset(torch.rand(6, 3, 8, 12, generator=g), torch.rand(6, 3, 8, 12, generator=g), 1 + 6 * torch.rand(6, 8, 12, generator=g)), batch_size=2)


EXPECT = {'verdict': 'broken',
 'symptom': 'missing',
 'cause': 'Tensor.detach',
 'params': ['feature.*'],
 'metric_like': None,
 'source': 'held',
 'notes': '',
 'line_marker': '# <-- CAUSE'}
