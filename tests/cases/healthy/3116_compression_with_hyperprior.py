# SPDX-License-Identifier: Apache-2.0
"""Learned compression: noise in training, rounding with straight-through for the decoder, separate auxiliary optimizer for quantiles."""
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


class LowerBound(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, bound: Tensor) -> Tensor:
        ctx.save_for_backward(x, bound)
        return torch.max(x, bound)

    @staticmethod
    def backward(ctx, g: Tensor):
        x, bound = ctx.saved_tensors
        return ((x >= bound) | (g < 0)).type(g.dtype) * g, None


def ste_round(x: Tensor) -> Tensor:
    return x + (x.round() - x).detach()


class Bottleneck(nn.Module):
    def __init__(self, c: int, tail: float = 1e-2):
        super().__init__()
        self.loc, self.logscale = nn.Parameter(torch.zeros(c)), nn.Parameter(torch.zeros(c))
        self.quantiles = nn.Parameter(torch.tensor([-4.0, 0.0, 4.0]).repeat(c, 1))
        self.register_buffer("target", torch.tensor([-math.log(2 / tail - 1), 0.0, math.log(2 / tail - 1)]))
        self.register_buffer("bound", torch.tensor(1e-9))

    def logits(self, x: Tensor, stop: bool = False) -> Tensor:
        loc, s = self.loc, self.logscale
        if stop:
            loc, s = loc.detach(), s.detach()
        return (x - loc[:, None]) * torch.exp(-s)[:, None]

    def aux_loss(self) -> Tensor:
        return (self.logits(self.quantiles, stop=True) - self.target).abs().sum()

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        z = z + torch.empty_like(z).uniform_(-0.5, 0.5)
        v = z.transpose(0, 1).flatten(1)
        lik = torch.sigmoid(self.logits(v + 0.5)) - torch.sigmoid(self.logits(v - 0.5))
        return z, LowerBound.apply(lik, self.bound)


class GaussianConditional(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("bound", torch.tensor(0.11))
        self.register_buffer("lik_bound", torch.tensor(1e-9))

    def forward(self, y: Tensor, scale: Tensor, mean: Tensor) -> Tensor:
        s = LowerBound.apply(scale, self.bound)
        y = (y + torch.rand_like(y) - 0.5 - mean).abs()
        phi = lambda v: 0.5 * torch.erfc(-v / math.sqrt(2))
        return LowerBound.apply(phi((0.5 - y) / s) - phi((-0.5 - y) / s), self.lik_bound)


class Model(pl.LightningModule):
    def __init__(self, n: int = 6, m: int = 4, lmbda: float = 0.01):
        super().__init__()
        self.save_hyperparameters()
        self.automatic_optimization = False
        down, up = partial(nn.Conv2d, kernel_size=3, stride=2, padding=1), partial(nn.ConvTranspose2d, kernel_size=4, stride=2, padding=1)
        self.g_a, self.g_s = nn.Sequential(down(3, n), nn.GELU(), down(n, m)), nn.Sequential(up(m, n), nn.GELU(), up(n, 3))
        self.h_a, self.h_s = down(m, n), up(n, 2 * m)
        self.bottleneck, self.conditional = Bottleneck(n), GaussianConditional()

    def forward(self, x: Tensor):
        y = self.g_a(x)
        z, z_lik = self.bottleneck(self.h_a(y))
        scale, mean = self.h_s(z).chunk(2, 1)
        y_lik = self.conditional(y, F.softplus(scale), mean)
        return self.g_s(ste_round(y - mean) + mean), {"y": y_lik, "z": z_lik}

    def training_step(self, batch, batch_idx):
        (x,) = batch
        opt, aux_opt = self.optimizers()
        x_hat, liks = self(x)
        pixels = x.size(0) * x.size(2) * x.size(3)
        bpp = {k: v.log().sum() / (-math.log(2) * pixels) for k, v in liks.items()}
        mse = F.mse_loss(x_hat, x)
        loss = self.hparams.lmbda * 255**2 * mse + sum(bpp.values())
        opt.zero_grad()
        self.manual_backward(loss)
        self.clip_gradients(opt, 1.0, "norm")
        opt.step()
        aux = self.bottleneck.aux_loss()
        aux_opt.zero_grad()
        self.manual_backward(aux)
        aux_opt.step()
        self.log_dict({f"bpp_{k}": v for k, v in bpp.items()} | {"mse": mse, "aux": aux, "psnr": -10 * math.log10(mse.item())})

    def configure_optimizers(self):
        params = {n: p for n, p in self.named_parameters() if not n.endswith("quantiles")}
        aux = {n: p for n, p in self.named_parameters() if n.endswith("quantiles")}
        return torch.optim.Adam(params.values(), 1e-4), torch.optim.Adam(aux.values(), 1e-3)


def dataloader():
    g = torch.Generator().manual_seed(3116)
    return DataLoader(TensorDataset(torch.rand(12, 3, 16, 16, generator=g)), batch_size=4)


EXPECT = {'verdict': 'healthy',
 'why': 'Quantiles have an auxiliary loss of their own; rounding is '
        'straight-through.',
 'all_grads_by_step': 1,
 'source': 'held',
 'steps': 6}
