# SPDX-License-Identifier: Apache-2.0
"""Gaussian splatting in two dimensions: one quaternion starts at zero and is divided by its norm."""
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


@dataclass
class SplatConfig:
    count: int = 12
    size: int = 10
    sh: int = 3
    lambda_ssim: float = 0.2


def quaternion_to_matrix(q: Tensor) -> Tensor:
    q = q / q.norm(dim=-1, keepdim=True)  # <-- CAUSE
    w, x, y, z = q.unbind(-1)
    return torch.stack([
        1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
        2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
        2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
    ], -1).view(-1, 3, 3)


class Gaussians(nn.Module):
    def __init__(self, cfg: SplatConfig):
        super().__init__()
        g = torch.Generator().manual_seed(5)
        self.xyz = nn.Parameter(torch.rand(cfg.count, 3, generator=g) * 2 - 1)
        self.scaling = nn.Parameter(torch.full((cfg.count, 3), -1.0))
        rot = torch.zeros(cfg.count, 4)
        rot[:-1, 0] = 1
        self.rotation = nn.Parameter(rot)
        self.opacity = nn.Parameter(torch.zeros(cfg.count))
        self.colour = nn.Parameter(torch.randn(cfg.count, cfg.sh, generator=g))

    def covariance(self) -> Tensor:
        m = quaternion_to_matrix(self.rotation) * self.scaling.exp()[:, None, :]
        return m @ m.transpose(1, 2)


class Rasterizer(nn.Module):
    def __init__(self, size: int):
        super().__init__()
        axis = torch.linspace(-1, 1, size)
        self.register_buffer("pixels", torch.cartesian_prod(axis, axis))

    def forward(self, gs: Gaussians, shift: Tensor) -> Tensor:
        centre = gs.xyz + shift
        order = centre[:, 2].argsort()
        cov = gs.covariance()[order, :2, :2] + 0.05 * torch.eye(2)
        det = cov[:, 0, 0] * cov[:, 1, 1] - cov[:, 0, 1] ** 2
        conic = torch.stack([cov[:, 1, 1], -cov[:, 0, 1], cov[:, 0, 0]], -1) / det[:, None]
        d = self.pixels[:, None] - centre[order][None, :, :2]
        power = -0.5 * (conic[:, 0] * d[..., 0] ** 2 + conic[:, 2] * d[..., 1] ** 2) - conic[:, 1] * d[..., 0] * d[..., 1]
        alpha = (torch.sigmoid(gs.opacity[order]) * torch.exp(power)).clamp(max=0.99)
        trans = torch.cumprod(1 - alpha, 1)
        trans = torch.cat([torch.ones_like(trans[:, :1]), trans[:, :-1]], 1)
        return (alpha * trans) @ torch.sigmoid(gs.colour[order])


class Model(pl.LightningModule):
    def __init__(self, cfg: Optional[SplatConfig] = None):
        super().__init__()
        self.cfg = cfg or SplatConfig()
        self.gaussians, self.raster = Gaussians(self.cfg), Rasterizer(self.cfg.size)

    def training_step(self, batch, batch_idx):
        shift, image = batch
        render = torch.stack([self.raster(self.gaussians, s) for s in shift])
        l1, l2 = F.l1_loss(render, image), F.mse_loss(render, image)
        loss = (1 - self.cfg.lambda_ssim) * l1 + self.cfg.lambda_ssim * l2
        self.log_dict({"l1": l1, "l2": l2, "n": float(self.cfg.count)})
        return loss

    def configure_optimizers(self):
        rates = {"xyz": 1.6e-4, "scaling": 5e-3, "rotation": 1e-3, "opacity": 5e-2, "colour": 2.5e-3}
        return torch.optim.Adam([{"params": [getattr(self.gaussians, n)], "lr": r, "name": n} for n, r in rates.items()], eps=1e-15)


def dataloader():
    g = torch.Generator().manual_seed(3018)
    return DataLoader(TensorDataset(torch.randn(4, 3, generator=g) * 0.05, torch.rand(4, 100, 3, generator=g)), batch_size=2)


EXPECT = {'verdict': 'broken',
 'symptom': 'nonfinite',
 'cause': 'torch.div',
 'params': 'all',
 'metric_like': None,
 'source': 'held',
 'notes': '',
 'cause_alt': ['Tensor.__truediv__', 'Tensor.div'],
 'line_marker': '# <-- CAUSE'}
