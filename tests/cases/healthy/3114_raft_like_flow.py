# SPDX-License-Identifier: Apache-2.0
"""Optical flow: iterative updates with detached coordinates, convex upsampling, a sequence loss."""
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


def grid(b: int, h: int, w: int) -> Tensor:
    return torch.stack(torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")[::-1]).float().expand(b, -1, -1, -1)


class CorrBlock:
    def __init__(self, a: Tensor, b: Tensor, levels: int = 2, radius: int = 1):
        self.radius, self.pyramid = radius, []
        n, c, h, w = a.shape
        corr = einsum("ncx,ncy->nxy", a.flatten(2), b.flatten(2)) / c**0.5
        corr = corr.reshape(n * h * w, 1, h, w)
        for _ in range(levels):
            self.pyramid.append(corr)
            corr = F.avg_pool2d(corr, 2, 2)

    def __call__(self, coords: Tensor) -> Tensor:
        n, _, h, w = coords.shape
        r, out = self.radius, []
        d = torch.linspace(-r, r, 2 * r + 1)
        delta = torch.stack(torch.meshgrid(d, d, indexing="ij"), -1)
        for i, corr in enumerate(self.pyramid):
            at = coords.permute(0, 2, 3, 1).reshape(n * h * w, 1, 1, 2) / 2**i + delta
            size = torch.tensor([corr.size(-1) - 1, corr.size(-2) - 1])
            s = F.grid_sample(corr, 2 * at / size - 1, align_corners=True)
            out.append(s.view(n, h, w, -1))
        return torch.cat(out, -1).permute(0, 3, 1, 2).contiguous()


class Update(nn.Module):
    def __init__(self, d: int, corr: int):
        super().__init__()
        self.motion = nn.Conv2d(corr + 2, d, 3, padding=1)
        self.z, self.r, self.q = (nn.Conv2d(3 * d, d, 3, padding=1) for _ in range(3))
        self.flow, self.mask = nn.Conv2d(d, 2, 3, padding=1), nn.Conv2d(d, 4 * 9, 1)

    def forward(self, h: Tensor, inp: Tensor, corr: Tensor, flow: Tensor):
        x = torch.cat([inp, F.relu(self.motion(torch.cat([corr, flow], 1)))], 1)
        hx = torch.cat([h, x], 1)
        z, r = self.z(hx).sigmoid(), self.r(hx).sigmoid()
        h = (1 - z) * h + z * torch.tanh(self.q(torch.cat([r * h, x], 1)))
        return h, 0.25 * self.mask(h), self.flow(h)


def upsample(flow: Tensor, mask: Tensor) -> Tensor:
    n, _, h, w = flow.shape
    mask = mask.view(n, 1, 9, 2, 2, h, w).softmax(2)
    up = F.unfold(2 * flow, [3, 3], padding=1).view(n, 2, 9, 1, 1, h, w)
    return (mask * up).sum(2).permute(0, 1, 4, 2, 5, 3).reshape(n, 2, 2 * h, 2 * w)


class Model(pl.LightningModule):
    def __init__(self, d: int = 6, iters: int = 3, gamma: float = 0.8, noise: bool = True):
        super().__init__()
        self.save_hyperparameters()
        enc = lambda o: nn.Sequential(nn.Conv2d(3, d, 3, 2, 1), nn.InstanceNorm2d(d), nn.ReLU(), nn.Conv2d(d, o, 3, padding=1))
        self.fnet, self.cnet, self.block = enc(d), enc(2 * d), Update(d, 18)

    def forward(self, a: Tensor, b: Tensor) -> list[Tensor]:
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=False):
            corr = CorrBlock(*self.fnet(torch.cat([a, b])).chunk(2))
        h, inp = self.cnet(a).chunk(2, 1)
        h, inp = torch.tanh(h), torch.relu(inp)
        c0 = grid(len(a), *h.shape[-2:])
        c1, flows = c0.clone(), []
        for _ in range(self.hparams.iters):
            c1 = c1.detach()
            h, mask, delta = self.block(h, inp, corr(c1), c1 - c0)
            c1 = c1 + delta
            flows.append(upsample(c1 - c0, mask))
        return flows

    def training_step(self, batch, batch_idx):
        a, b, flow, valid = batch
        if self.hparams.noise:
            std = np.random.uniform(0.0, 0.1)
            a, b = ((t + std * torch.randn_like(t)).clamp(-3, 3) for t in (a, b))
        flows = self(a, b)
        ok = (valid >= 0.5) & (flow.pow(2).sum(1).sqrt() < 100)
        loss = sum(self.hparams.gamma ** (len(flows) - 1 - i) * (ok[:, None] * (f - flow).abs()).mean() for i, f in enumerate(flows))
        epe = (flows[-1] - flow).pow(2).sum(1).sqrt().view(-1)[ok.view(-1)]
        self.log_dict({"loss": loss, "epe": epe.mean().item(), "3px": (epe < 3).float().mean().item()})
        return loss

    def configure_optimizers(self):
        opt = torch.optim.AdamW(self.parameters(), 4e-4, eps=1e-8)
        return [opt], [{"scheduler": torch.optim.lr_scheduler.OneCycleLR(opt, 4e-4, 60), "interval": "step"}]


def dataloader():
    g = torch.Generator().manual_seed(3114)
    r = lambda *s: torch.randn(*s, generator=g)
    return DataLoader(TensorDataset(r(6, 3, 8, 8), r(6, 3, 8, 8), r(6, 2, 8, 8), (r(6, 8, 8) > -1).float()), batch_size=2)


EXPECT = {'verdict': 'healthy',
 'why': 'Coordinates are detached before each update; every prediction is '
        'supervised.',
 'all_grads_by_step': 1,
 'source': 'held'}
