# SPDX-License-Identifier: Apache-2.0
"""NeRF with a learned focal length: the camera matrix is a numpy array."""
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


class PositionalEncoding(nn.Module):
    def __init__(self, freqs: int):
        super().__init__()
        self.register_buffer("bands", 2.0 ** torch.arange(freqs))

    def forward(self, x: Tensor) -> Tensor:
        xb = (x[..., None, :] * self.bands[:, None]).flatten(-2)
        return torch.cat([x, torch.sin(xb), torch.cos(xb)], -1)


class NeRF(nn.Module):
    def __init__(self, freqs: int = 3, width: int = 24):
        super().__init__()
        self.pe, self.de = PositionalEncoding(freqs), PositionalEncoding(1)
        self.trunk = nn.Sequential(nn.Linear(3 + 6 * freqs, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())
        self.sigma, self.feature = nn.Linear(width, 1), nn.Linear(width, width)
        self.rgb = nn.Sequential(nn.Linear(width + 9, width // 2), nn.ReLU(), nn.Linear(width // 2, 3))

    def forward(self, pts: Tensor, dirs: Tensor) -> tuple[Tensor, Tensor]:
        h = self.trunk(self.pe(pts))
        d = self.de(dirs)[:, None].expand(-1, pts.size(1), -1)
        return torch.sigmoid(self.rgb(torch.cat([self.feature(h), d], -1))), F.softplus(self.sigma(h).squeeze(-1) - 1)


def composite(rgb: Tensor, sigma: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
    delta = torch.cat([z[:, 1:] - z[:, :-1], torch.full_like(z[:, :1], 1e10)], -1)
    alpha = 1 - torch.exp(-sigma * delta)
    trans = torch.cumprod(torch.cat([torch.ones_like(alpha[:, :1]), 1 - alpha + 1e-10], -1), -1)[:, :-1]
    weights = alpha * trans
    return (weights[..., None] * rgb).sum(1), weights


class Camera(nn.Module):
    def __init__(self, h: int, w: int, focal: float):
        super().__init__()
        self.h, self.w = h, w
        self.focal = nn.Parameter(torch.tensor(focal))

    def intrinsics(self) -> np.ndarray:
        f = float(self.focal)  # <-- CAUSE
        return np.array([[f, 0, self.w / 2], [0, f, self.h / 2], [0, 0, 1]], dtype=np.float32)

    def rays(self, uv: Tensor, pose: Tensor) -> tuple[Tensor, Tensor]:
        K = self.intrinsics()
        x, y = (uv[:, 0] - K[0, 2]) / K[0, 0], -(uv[:, 1] - K[1, 2]) / K[1, 1]
        dirs = torch.stack([x, y, -torch.ones_like(x)], -1)
        rays_d = torch.einsum("nij,nj->ni", pose[:, :3, :3], dirs)
        return pose[:, :3, 3], rays_d


class Model(pl.LightningModule):
    def __init__(self, samples: int = 8, near: float = 1.0, far: float = 4.0, perturb: bool = True):
        super().__init__()
        self.save_hyperparameters()
        self.camera, self.field = Camera(16, 16, 18.0), NeRF()
        self.psnr = torchmetrics.MeanMetric()

    def forward(self, uv: Tensor, pose: Tensor) -> tuple[Tensor, Tensor]:
        hp = self.hparams
        o, d = self.camera.rays(uv, pose)
        t = torch.linspace(0, 1, hp.samples)
        z = (hp.near * (1 - t) + hp.far * t).expand(len(uv), -1)
        if hp.perturb and self.training:
            mids = 0.5 * (z[:, 1:] + z[:, :-1])
            lo, hi = torch.cat([z[:, :1], mids], -1), torch.cat([mids, z[:, -1:]], -1)
            z = lo + (hi - lo) * torch.rand_like(z)
        pts = o[:, None] + d[:, None] * z[..., None]
        return composite(*self.field(pts, F.normalize(d, dim=-1)), z)

    def training_step(self, batch, batch_idx):
        uv, pose, target = batch
        rgb, weights = self(uv, pose)
        photo = F.mse_loss(rgb, target)
        opacity = weights.sum(-1)
        entropy = -(opacity.clamp(1e-5, 1) * opacity.clamp(1e-5, 1).log()).mean()
        self.psnr(-10 * torch.log10(photo.detach()))
        self.log_dict({"photo": photo, "opacity": opacity.mean(), "entropy": entropy})
        self.log("psnr", self.psnr)
        return photo + 1e-2 * entropy

    def configure_optimizers(self):
        return torch.optim.Adam([
            {"params": self.field.parameters(), "lr": 5e-4}, {"params": self.camera.parameters(), "lr": 1e-3},
        ])


def dataloader():
    g = torch.Generator().manual_seed(3017)
    pose = torch.eye(4).repeat(24, 1, 1)
    pose[:, :3, 3] = torch.randn(24, 3, generator=g) * 0.1
    return DataLoader(TensorDataset(torch.rand(24, 2, generator=g) * 16, pose, torch.rand(24, 3, generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken',
 'symptom': 'missing',
 'cause': 'float',
 'params': ['camera.focal'],
 'metric_like': None,
 'source': 'held',
 'notes': '',
 'cause_alt': ['Tensor.__float__', 'Tensor.item'],
 'line_marker': '# <-- CAUSE'}
