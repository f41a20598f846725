# SPDX-License-Identifier: Apache-2.0
"""Learned image compression: latents are rounded in training as in testing; noise was for training."""
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


class GDN(nn.Module):
    def __init__(self, ch: int):
        super().__init__()
        self.beta = nn.Parameter(torch.ones(ch))
        self.gamma = nn.Parameter(0.1 * torch.eye(ch) + 0.01)

    def forward(self, x: Tensor) -> Tensor:
        norm = F.conv2d(x * x, self.gamma.abs()[:, :, None, None], self.beta.abs())
        return x * torch.rsqrt(norm + 1e-6)


class EntropyBottleneck(nn.Module):
    """Factorised Gaussian prior with a learned location and scale per channel."""

    def __init__(self, ch: int):
        super().__init__()
        self.loc, self.log_scale = nn.Parameter(torch.zeros(1, ch, 1, 1)), nn.Parameter(torch.zeros(1, ch, 1, 1))

    def quantize(self, x: Tensor, mode: str) -> Tensor:
        if mode == "noise":
            return x + torch.empty_like(x).uniform_(-0.5, 0.5)
        return torch.round(x)  # <-- CAUSE

    def likelihood(self, y: Tensor) -> Tensor:
        s = self.log_scale.exp()
        cdf = lambda v: 0.5 * (1 + torch.erf((v - self.loc) / (s * math.sqrt(2))))
        return (cdf(y + 0.5) - cdf(y - 0.5)).clamp(min=1e-9)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = self.quantize(x, "noise" if not self.training else "dequantize")
        return y, self.likelihood(y)


class RateDistortionLoss(nn.Module):
    def __init__(self, lmbda: float = 1e-2):
        super().__init__()
        self.lmbda = lmbda

    def forward(self, out: dict[str, Any], x: Tensor) -> dict[str, Tensor]:
        n, _, h, w = x.shape
        bpp = out["likelihoods"].log().sum() / (-math.log(2) * n * h * w)
        mse = F.mse_loss(out["x_hat"], x)
        return {"bpp": bpp, "mse": mse, "loss": self.lmbda * 255**2 * mse + bpp}


class Model(pl.LightningModule):
    def __init__(self, n: int = 8, m: int = 6, lmbda: float = 0.01):
        super().__init__()
        self.save_hyperparameters()
        down = partial(nn.Conv2d, kernel_size=5, stride=2, padding=2)
        up = partial(nn.ConvTranspose2d, kernel_size=5, stride=2, padding=2, output_padding=1)
        self.g_a = nn.Sequential(down(3, n), GDN(n), down(n, m))
        self.g_s = nn.Sequential(up(m, n), GDN(n), up(n, 3))
        self.entropy = EntropyBottleneck(m)
        self.criterion = RateDistortionLoss(lmbda)

    def forward(self, x: Tensor) -> dict[str, Any]:
        y_hat, lik = self.entropy(4 * self.g_a(x))
        return {"x_hat": self.g_s(y_hat), "likelihoods": lik}

    def training_step(self, batch, batch_idx):
        (x,) = batch
        out = self.criterion(self(x), x)
        self.log_dict({f"train_{k}": v for k, v in out.items()})
        return out["loss"]

    def configure_optimizers(self):
        params = dict(self.named_parameters())
        return torch.optim.Adam((params[n] for n in sorted(params)), lr=1e-4)


def dataloader():
    g = torch.Generator().manual_seed(3013)
    return DataLoader(TensorDataset(torch.rand(8, 3, 16, 16, generator=g)), batch_size=4)


EXPECT = {'verdict': 'broken',
 'symptom': 'zero',
 'cause': 'torch.round',
 'params': ['g_a.*'],
 'metric_like': None,
 'source': 'held',
 'notes': '',
 'cause_alt': ['Tensor.round'],
 'line_marker': '# <-- CAUSE'}
