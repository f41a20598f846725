# SPDX-License-Identifier: Apache-2.0
"""FixMatch: thresholded pseudo labels, distribution alignment, EMA evaluation model that shares no gradients."""
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


class WeakStrong(nn.Module):
    def __init__(self, sigma: tuple[float, float] = (0.05, 0.5)):
        super().__init__()
        self.sigma = sigma

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        weak = x + self.sigma[0] * torch.randn_like(x)
        strong = (x + self.sigma[1] * torch.randn_like(x)) * (torch.rand_like(x) > 0.2)
        return weak, strong


class WideBlock(nn.Module):
    def __init__(self, i: int, o: int):
        super().__init__()
        self.bn, self.fc, self.short = nn.BatchNorm1d(i, momentum=0.001), nn.Linear(i, o), nn.Linear(i, o, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        h = F.leaky_relu(self.bn(x), 0.1)
        return self.short(h) + self.fc(h)


def interleave(x: Tensor, size: int) -> Tensor:
    return x.reshape(-1, size, *x.shape[1:]).transpose(0, 1).reshape(-1, *x.shape[1:])


def de_interleave(x: Tensor, size: int) -> Tensor:
    return x.reshape(size, -1, *x.shape[1:]).transpose(0, 1).reshape(-1, *x.shape[1:])


class ModelEMA:
    def __init__(self, model: nn.Module, decay: float):
        self.ema, self.decay = copy.deepcopy(model).eval(), decay
        self.params = [k for k, _ in self.ema.named_parameters()]
        for p in self.ema.parameters():
            p.requires_grad_(False)

    def update(self, model: nn.Module) -> None:
        with torch.no_grad():
            msd, esd = model.state_dict(), self.ema.state_dict()
            for k in self.params:
                esd[k].copy_(esd[k] * self.decay + (1.0 - self.decay) * msd[k].detach())


class Model(pl.LightningModule):
    def __init__(self, classes: int = 4, mu: int = 2, threshold: float = 0.3, T: float = 1.0, lambda_u: float = 1.0):
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(nn.Linear(6, 12), WideBlock(12, 12), WideBlock(12, 12), nn.ReLU(), nn.Linear(12, classes))
        self.transform, self.ema = WeakStrong(), ModelEMA(self.net, 0.99)
        self.register_buffer("prior", torch.full((classes,), 1 / classes))

    @torch.no_grad()
    def align(self, p: Tensor) -> Tensor:
        self.prior.mul_(0.9).add_(0.1 * p.mean(0))
        p = p / self.prior
        return p / p.sum(-1, keepdim=True)

    def training_step(self, batch, batch_idx):
        x, y, u = batch
        hp, n = self.hparams, len(x)
        weak, strong = self.transform(u.flatten(0, 1))
        size = 2 * hp.mu + 1
        logits = de_interleave(self.net(interleave(torch.cat([x, weak, strong]), size)), size)
        lx, (lw, ls) = logits[:n], logits[n:].chunk(2)
        sup = F.cross_entropy(lx, y)
        pseudo = self.align(torch.softmax(lw.detach() / hp.T, dim=-1))
        conf, target = pseudo.max(-1)
        mask = conf.ge(hp.threshold).float()
        unsup = (F.cross_entropy(ls, target, reduction="none") * mask).mean()
        self.log_dict({"sup": sup, "unsup": unsup, "mask": mask.mean(), "conf": conf.mean()})
        return sup + hp.lambda_u * unsup

    def on_train_batch_end(self, *args):
        self.ema.update(self.net)

    def validation_step(self, batch, batch_idx):
        x, y, _ = batch
        self.log("val_acc", (self.ema.ema(x).argmax(1) == y).float().mean())

    def configure_optimizers(self):
        no_decay = ["bias", "bn"]
        groups = [{"params": [p for n, p in self.net.named_parameters() if not any(d in n for d in no_decay)], "weight_decay": 5e-4},
                  {"params": [p for n, p in self.net.named_parameters() if any(d in n for d in no_decay)], "weight_decay": 0.0}]
        opt = torch.optim.SGD(groups, lr=0.03, momentum=0.9, nesterov=True)
        cos = torch.optim.lr_scheduler.LambdaLR(opt, lambda s: max(0.0, math.cos(math.pi * 7 / 16 * s / 100)))
        return [opt], [{"scheduler": cos, "interval": "step"}]


def dataloader():
    g = torch.Generator().manual_seed(3115)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 4, (24,), generator=g), torch.randn(24, 2, 6, generator=g)), batch_size=8)


def val_dataloader():
    return dataloader()


EXPECT = {'verdict': 'healthy',
 'why': 'Pseudo labels come from detached logits; the supervised loss trains '
        'everything.',
 'all_grads_by_step': 1,
 'source': 'held'}
