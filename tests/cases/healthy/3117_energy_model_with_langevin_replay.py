# SPDX-License-Identifier: Apache-2.0
"""Energy-based model: negatives by Langevin dynamics from a replay buffer, weights frozen while sampling and released again."""
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


class Swish(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(x)


class Energy(nn.Module):
    def __init__(self, d: int, h: int = 16):
        super().__init__()
        sn = nn.utils.parametrizations.spectral_norm
        self.net = nn.Sequential(sn(nn.Linear(d, h)), Swish(), sn(nn.Linear(h, h)), Swish(), nn.Linear(h, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x).squeeze(-1)


class Sampler:
    def __init__(self, model: Energy, d: int, size: int, capacity: int = 64):
        self.model, self.d, self.size, self.capacity = model, d, size, capacity
        self.examples = [torch.rand(1, d) * 2 - 1 for _ in range(size)]

    def sample_new(self, steps: int, step_size: float) -> Tensor:
        fresh = np.random.binomial(self.size, 0.05)
        rand = torch.rand(fresh, self.d) * 2 - 1
        old = torch.cat(random.choices(self.examples, k=self.size - fresh), dim=0)
        start = torch.cat([rand, old], dim=0).detach()
        out = self.langevin(start, steps, step_size)
        self.examples = [*out.split(1), *self.examples][: self.capacity]
        return out

    def langevin(self, x: Tensor, steps: int, step_size: float) -> Tensor:
        training = self.model.training
        self.model.eval()
        for p in self.model.parameters():
            p.requires_grad = False
        x.requires_grad = True
        had = torch.is_grad_enabled()
        torch.set_grad_enabled(True)
        noise = torch.randn_like(x)
        for _ in range(steps):
            noise.normal_(0, 0.005)
            x.data.add_(noise.data)
            x.data.clamp_(min=-1.0, max=1.0)
            energy = self.model(x)
            energy.sum().backward()
            x.grad.data.clamp_(-0.03, 0.03)
            x.data.add_(-step_size * x.grad.data)
            x.grad.detach_()
            x.grad.zero_()
        for p in self.model.parameters():
            p.requires_grad = True
        self.model.train(training)
        torch.set_grad_enabled(had)
        return x.detach()


class Model(pl.LightningModule):
    def __init__(self, d: int = 4, alpha: float = 0.1, steps: int = 5, step_size: float = 10.0):
        super().__init__()
        self.save_hyperparameters()
        self.energy = Energy(d)
        self.sampler = Sampler(self.energy, d, 8)

    def training_step(self, batch, batch_idx):
        (real,) = batch
        hp = self.hparams
        real = (real + torch.randn_like(real) * 0.005).clamp_(min=-1.0, max=1.0)
        fake = self.sampler.sample_new(hp.steps, hp.step_size)
        e_real, e_fake = self.energy(torch.cat([real, fake])).chunk(2)
        reg = hp.alpha * (e_real**2 + e_fake**2).mean()
        cd = e_real.mean() - e_fake.mean()
        self.log_dict({"reg": reg, "cd": cd, "real": e_real.mean(), "fake": e_fake.mean()})
        return reg + cd

    def configure_optimizers(self):
        opt = torch.optim.Adam(self.parameters(), lr=1e-3, betas=(0.0, 0.999))
        return [opt], [torch.optim.lr_scheduler.StepLR(opt, 1, gamma=0.97)]


TRAINER = {"gradient_clip_val": 0.1}


def dataloader():
    g = torch.Generator().manual_seed(3117)
    return DataLoader(TensorDataset(torch.rand(24, 4, generator=g) * 2 - 1), batch_size=8)


EXPECT = {'verdict': 'healthy',
 'why': 'Weights are frozen during sampling and released before the loss.',
 'all_grads_by_step': 1,
 'source': 'held'}
