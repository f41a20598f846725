# SPDX-License-Identifier: Apache-2.0
"""Soft actor-critic: the temperature enters its own loss as a Python number."""
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


class Squashed(torch.distributions.TransformedDistribution):
    def __init__(self, mean: Tensor, std: Tensor):
        base = torch.distributions.Normal(mean, std)
        super().__init__(base, [torch.distributions.TanhTransform(cache_size=1)])


def mlp(*dims: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for i, (a, b) in enumerate(zip(dims, dims[1:])):
        layers += [nn.Linear(a, b)] + ([nn.ReLU()] if i < len(dims) - 2 else [])
    return nn.Sequential(*layers)


class Actor(nn.Module):
    LOG_STD = (-5.0, 2.0)

    def __init__(self, obs: int, act: int):
        super().__init__()
        self.body = mlp(obs, 16, 2 * act)

    def forward(self, obs: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_std = self.body(obs).chunk(2, -1)
        lo, hi = self.LOG_STD
        std = (lo + 0.5 * (hi - lo) * (torch.tanh(log_std) + 1)).exp()
        dist = Squashed(mean, std)
        a = dist.rsample()
        return a, dist.log_prob(a).sum(-1)


class TwinCritic(nn.Module):
    def __init__(self, obs: int, act: int):
        super().__init__()
        self.q1, self.q2 = mlp(obs + act, 16, 1), mlp(obs + act, 16, 1)

    def forward(self, obs: Tensor, act: Tensor) -> tuple[Tensor, Tensor]:
        x = torch.cat([obs, act], -1)
        return self.q1(x).squeeze(-1), self.q2(x).squeeze(-1)


@torch.no_grad()
def polyak(source: nn.Module, target: nn.Module, tau: float) -> None:
    for p, t in zip(source.parameters(), target.parameters()):
        t.lerp_(p, tau)


class Temperature(nn.Module):
    def __init__(self, init: float = 0.2):
        super().__init__()
        self.log_alpha = nn.Parameter(torch.tensor(math.log(init)))

    @property
    def value(self) -> float:
        return self.log_alpha.exp().item()  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self, obs_dim: int = 4, act_dim: int = 2, gamma: float = 0.99, tau: float = 0.005):
        super().__init__()
        self.save_hyperparameters()
        self.automatic_optimization = False
        self.actor, self.critic = Actor(obs_dim, act_dim), TwinCritic(obs_dim, act_dim)
        self.target = copy.deepcopy(self.critic).requires_grad_(False)
        self.temperature = Temperature()
        self.target_entropy = -float(act_dim)

    def critic_loss(self, obs, act, rew, nxt, done):
        with torch.no_grad():
            a, logp = self.actor(nxt)
            q = torch.min(*self.target(nxt, a)) - self.temperature.value * logp
            backup = rew + self.hparams.gamma * (1 - done) * q
        q1, q2 = self.critic(obs, act)
        return F.mse_loss(q1, backup) + F.mse_loss(q2, backup)

    def actor_loss(self, obs):
        a, logp = self.actor(obs)
        q = torch.min(*self.critic(obs, a))
        return (self.temperature.value * logp - q).mean()

    def alpha_loss(self, logp):
        return -(self.temperature.value * (logp + self.target_entropy)).mean()  # <-- ALSO

    def update(self, opt, loss):
        opt.zero_grad()
        self.manual_backward(loss)
        opt.step()

    def training_step(self, batch, batch_idx):
        opt_c, opt_a, opt_t = self.optimizers()
        obs = batch[0]
        with torch.no_grad():
            _, logp = self.actor(obs)
        lt = self.alpha_loss(logp)
        self.update(opt_t, lt)
        lc = self.critic_loss(*batch)
        self.update(opt_c, lc)
        self.toggle_optimizer(opt_a)
        la = self.actor_loss(obs)
        self.update(opt_a, la)
        self.untoggle_optimizer(opt_a)
        polyak(self.critic, self.target, self.hparams.tau)
        self.log_dict({"critic": lc, "actor": la, "alpha_loss": lt, "alpha": self.temperature.value})

    def configure_optimizers(self):
        return [torch.optim.Adam(m.parameters(), lr=3e-4) for m in (self.critic, self.actor, self.temperature)]


def dataloader():
    g = torch.Generator().manual_seed(3007)
    r = lambda *s: torch.randn(*s, generator=g)
    return DataLoader(TensorDataset(r(24, 4), r(24, 2).tanh(), r(24), r(24, 4), (r(24) > 1).float()), batch_size=8)


EXPECT = {'verdict': 'broken',
 'symptom': 'no_grad_loss',
 'cause': 'Tensor.item',
 'params': ['temperature.log_alpha'],
 'metric_like': None,
 'source': 'held',
 'notes': '',
 'quiet': ['target.*', 'actor.*', 'critic.*'],
 'line_marker': '# <-- CAUSE',
 'also_marker': '# <-- ALSO'}
