# SPDX-License-Identifier: Apache-2.0
"""Super-resolution: the frozen feature extractor runs inside no_grad for the generated image too."""
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


class ResBlock(nn.Module):
    def __init__(self, d: int):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(d, d, 3, padding=1), nn.PReLU(), nn.Conv2d(d, d, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        return x + 0.1 * self.body(x)


class Generator(nn.Module):
    def __init__(self, d: int = 8, blocks: int = 2, scale: int = 2):
        super().__init__()
        self.head = nn.Conv2d(3, d, 3, padding=1)
        self.body = nn.Sequential(*[ResBlock(d) for _ in range(blocks)])
        self.up = nn.Sequential(nn.Conv2d(d, d * scale**2, 3, padding=1), nn.PixelShuffle(scale), nn.PReLU())
        self.tail = nn.Conv2d(d, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.head(x)
        return torch.sigmoid(self.tail(self.up(h + self.body(h))))


class FeatureExtractor(nn.Module):
    """Stands for the first layers of a pretrained VGG."""

    def __init__(self, layers: tuple[str, ...] = ("conv1", "conv2")):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 8, 3, stride=2, padding=1)
        self.layers = layers
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1))
        for p in self.parameters():
            p.requires_grad = False

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        out, x = {}, (x - self.mean) / self.std
        with torch.no_grad():  # <-- CAUSE
            for name in self.layers:
                x = F.relu(getattr(self, name)(x))  # <-- ALSO
                out[name] = x
        return out


class PerceptualLoss(nn.Module):
    def __init__(self, weights: dict[str, float], criterion: str = "l1"):
        super().__init__()
        self.vgg, self.weights = FeatureExtractor(tuple(weights)), weights
        self.criterion = {"l1": F.l1_loss, "l2": F.mse_loss}[criterion]

    def forward(self, x: Tensor, gt: Tensor) -> Tensor:
        fx, fg = self.vgg(x), self.vgg(gt.detach())
        return sum(self.criterion(fx[k], fg[k]) * w for k, w in self.weights.items())


class CharbonnierLoss(nn.Module):
    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return torch.sqrt((x - y) ** 2 + 1e-6).mean()


class Model(pl.LightningModule):
    def __init__(self, pixel_weight: float = 1.0, percep_weight: float = 0.1):
        super().__init__()
        self.save_hyperparameters()
        self.net_g = Generator()
        self.cri_pix = CharbonnierLoss()
        self.cri_perceptual = PerceptualLoss({"conv1": 0.5, "conv2": 1.0})

    def training_step(self, batch, batch_idx):
        (hr,) = batch
        lr = F.interpolate(hr, scale_factor=0.5, mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)
        sr = self.net_g(lr)
        l_pix = self.hparams.pixel_weight * self.cri_pix(sr, hr)
        l_percep = self.hparams.percep_weight * self.cri_perceptual(sr, hr)
        self.log("l_pix", l_pix)
        self.log("l_percep", l_percep)
        with torch.no_grad():
            psnr = -10 * torch.log10(F.mse_loss(sr, hr))
        self.log("psnr", psnr, prog_bar=True)
        return l_pix + l_percep

    def configure_optimizers(self):
        return torch.optim.Adam(self.net_g.parameters(), lr=2e-4, betas=(0.9, 0.99))


def dataloader():
    g = torch.Generator().manual_seed(3012)
    return DataLoader(TensorDataset(torch.rand(8, 3, 12, 12, generator=g)), batch_size=4)


EXPECT = {'verdict': 'broken',
 'symptom': 'dead_term',
 'cause': 'no_grad',
 'params': 'all',
 'metric_like': None,
 'source': 'held',
 'notes': '',
 'cause_alt': ['torch.no_grad'],
 'term': 'l_percep',
 'quiet': ['cri_perceptual.*'],
 'line_marker': '# <-- CAUSE',
 'also_marker': '# <-- ALSO'}
