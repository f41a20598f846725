# SPDX-License-Identifier: Apache-2.0
"""NeRF: coarse and fine fields, fine depths drawn from detached weights, learned exposure, distortion loss."""
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


def positional(x: Tensor, n: int) -> Tensor:
    f = 2.0 ** torch.arange(n) * math.pi
    y = (x[..., None] * f).flatten(-2)
    return torch.cat([x, y.sin(), y.cos()], -1)


class TruncExp(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return torch.exp(x)

    @staticmethod
    def backward(ctx, g: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return g * torch.exp(x.clamp(max=15))


class Field(nn.Module):
    def __init__(self, w: int = 16, skip: int = 1, freqs: int = 3):
        super().__init__()
        self.freqs, self.skip = freqs, skip
        i = 3 + 6 * freqs
        self.layers = nn.ModuleList([nn.Linear(i, w), nn.Linear(w + i, w)])
        self.sigma, self.rgb = nn.Linear(w, 1), nn.Sequential(nn.Linear(w + 9, w), nn.ReLU(), nn.Linear(w, 3))

    def forward(self, p: Tensor, d: Tensor) -> tuple[Tensor, Tensor]:
        e = positional(p, self.freqs)
        h = e
        for i, layer in enumerate(self.layers):
            h = F.relu(layer(torch.cat([h, e], -1) if i == self.skip else h))
        dirs = positional(d, 1)[:, None].expand(-1, p.size(1), -1)
        return self.rgb(torch.cat([h, dirs], -1)).sigmoid(), TruncExp.apply(self.sigma(h).squeeze(-1))


def sample_pdf(bins: Tensor, weights: Tensor, n: int) -> Tensor:
    pdf = (weights + 1e-5) / (weights + 1e-5).sum(-1, keepdim=True)
    cdf = torch.cat([torch.zeros_like(pdf[:, :1]), pdf.cumsum(-1)], -1)
    u = torch.rand(len(bins), n)
    idx = torch.searchsorted(cdf, u, right=True).clamp(1, cdf.size(-1) - 1)
    c0, c1 = cdf.gather(1, idx - 1), cdf.gather(1, idx)
    b0, b1 = bins.gather(1, idx - 1), bins.gather(1, idx)
    gap = torch.where(c1 - c0 < 1e-5, torch.ones_like(c0), c1 - c0)
    return b0 + (u - c0) / gap * (b1 - b0)


def render(field: Field, o: Tensor, d: Tensor, z: Tensor):
    rgb, sigma = field(o[:, None] + z[..., None] * d[:, None], d)
    delta = F.pad(z.diff(dim=-1), (0, 1), value=1e3)
    alpha = 1 - (-sigma * delta).exp()
    trans = torch.exp(torch.cumsum(F.pad(torch.log1p(-alpha[:, :-1] + 1e-10), (1, 0)), -1))
    w = alpha * trans
    return (w[..., None] * rgb).sum(1), w, (w * z).sum(-1)


def distortion(w: Tensor, z: Tensor) -> Tensor:
    mid = 0.5 * (z[:, 1:] + z[:, :-1])
    ww = w[:, :-1]
    pair = einsum("ni,nj,nij->n", ww, ww, (mid[:, :, None] - mid[:, None]).abs())
    return (pair + (ww**2 * z.diff(dim=-1)).sum(-1) / 3).mean()


class Model(pl.LightningModule):
    def __init__(self, coarse: int = 6, fine: int = 6, images: int = 3, lr: float = 5e-4):
        super().__init__()
        self.save_hyperparameters()
        self.coarse, self.fine = Field(), Field()
        self.exposure = nn.Embedding(images, 3)
        nn.init.zeros_(self.exposure.weight)

    def forward(self, o: Tensor, d: Tensor):
        hp = self.hparams
        edges = torch.linspace(1, 4, hp.coarse + 1)
        z = edges[:-1] + (edges[1:] - edges[:-1]) * torch.rand(len(o), hp.coarse)
        rgb0, w0, _ = render(self.coarse, o, d, z)
        mids = 0.5 * (z[:, 1:] + z[:, :-1])
        extra = sample_pdf(mids, w0[:, 1:-1].detach(), hp.fine)
        z, _ = torch.sort(torch.cat([z, extra], -1), -1)
        rgb1, w1, depth = render(self.fine, o, d, z)
        return rgb0, rgb1, distortion(w1, z), depth

    def training_step(self, batch, batch_idx):
        o, d, img, target = batch
        rgb0, rgb1, dist, depth = self(o, d)
        gain = self.exposure(img).exp()
        c, f = F.mse_loss(rgb0 * gain, target), F.mse_loss(rgb1 * gain, target)
        with torch.no_grad():
            self.log_dict({"psnr": -10 * f.log10(), "depth": depth.mean(), "dist": dist})
        return c + f + 0.01 * dist

    def configure_optimizers(self):
        opt = torch.optim.Adam(self.parameters(), lr=self.hparams.lr)
        return [opt], [{"scheduler": torch.optim.lr_scheduler.ExponentialLR(opt, 0.1 ** (1 / 250)), "interval": "step"}]


def dataloader():
    g = torch.Generator().manual_seed(3109)
    r = lambda *s: torch.randn(*s, generator=g)
    return DataLoader(TensorDataset(0.1 * r(24, 3), F.normalize(r(24, 3), dim=-1), torch.arange(24) % 3, torch.rand(24, 3, generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy',
 'why': 'Depths are drawn from detached weights on purpose; both fields have '
        'losses of their own.',
 'all_grads_by_step': 1,
 'source': 'held'}
