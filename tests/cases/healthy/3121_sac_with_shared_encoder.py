# SPDX-License-Identifier: Apache-2.0
"""Soft actor-critic from pixels: the critic trains the encoder, the actor reads detached features, target networks are frozen copies."""
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


class PixelEncoder(nn.Module):
    def __init__(self, d: int):
        super().__init__()
        self.convs = nn.ModuleList([nn.Conv2d(2, 4, 3, 2), nn.Conv2d(4, 4, 3, 1)])
        self.fc, self.ln = nn.Linear(4, d), nn.LayerNorm(d)

    def forward(self, obs: Tensor, detach: bool = False) -> Tensor:
        h = obs / 255.0
        for conv in self.convs:
            h = F.leaky_relu(conv(h))
        h = h.flatten(1)
        if detach:
            h = h.detach()
        return torch.tanh(self.ln(self.fc(h)))


def tie_weights(src: nn.Module, trg: nn.Module) -> None:
    trg.weight, trg.bias = src.weight, src.bias


def squash(mu: Tensor, log_std: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    noise = torch.randn_like(mu)
    pi = mu + noise * log_std.exp()
    logp = (-0.5 * noise.pow(2) - log_std).sum(-1, keepdim=True) - 0.5 * math.log(2 * math.pi) * mu.size(-1)
    a = torch.tanh(pi)
    return torch.tanh(mu), a, logp - torch.log(F.relu(1 - a.pow(2)) + 1e-6).sum(-1, keepdim=True)


class Actor(nn.Module):
    def __init__(self, d: int, act: int):
        super().__init__()
        self.encoder, self.trunk = PixelEncoder(d), nn.Sequential(nn.Linear(d, 16), nn.ReLU(), nn.Linear(16, 2 * act))

    def forward(self, obs: Tensor, detach_encoder: bool = False):
        mu, log_std = self.trunk(self.encoder(obs, detach=detach_encoder)).chunk(2, -1)
        return squash(mu, -5 + 3.5 * (torch.tanh(log_std) + 1))


class Critic(nn.Module):
    def __init__(self, d: int, act: int):
        super().__init__()
        self.encoder = PixelEncoder(d)
        q = lambda: nn.Sequential(nn.Linear(d + act, 16), nn.ReLU(), nn.Linear(16, 1))
        self.Q1, self.Q2 = q(), q()

    def forward(self, obs: Tensor, act: Tensor, detach_encoder: bool = False):
        h = torch.cat([self.encoder(obs, detach=detach_encoder), act], -1)
        return self.Q1(h), self.Q2(h)


def random_shift(x: Tensor, pad: int = 1) -> Tensor:
    n, _, h, w = x.shape
    x = F.pad(x, (pad,) * 4, "replicate")
    i, j = torch.randint(0, 2 * pad + 1, (2,)).tolist()
    return x[..., i : i + h, j : j + w]


class Model(pl.LightningModule):
    def __init__(self, d: int = 6, act: int = 2, tau: float = 0.05, update_freq: int = 2, init_temperature: float = 0.1):
        super().__init__()
        self.save_hyperparameters()
        self.automatic_optimization = False
        self.actor, self.critic = Actor(d, act), Critic(d, act)
        for a, c in zip(self.actor.encoder.convs, self.critic.encoder.convs):
            tie_weights(src=c, trg=a)
        self.target = copy.deepcopy(self.critic).requires_grad_(False)
        self.log_alpha = nn.Parameter(torch.tensor(math.log(init_temperature)))

    @property
    def alpha(self) -> Tensor:
        return self.log_alpha.exp()

    def update_critic(self, opt, obs, act, rew, nxt):
        with torch.no_grad():
            _, a, logp = self.actor(nxt)
            target = rew + 0.99 * (torch.min(*self.target(nxt, a)) - self.alpha.detach() * logp)
        loss = sum(F.mse_loss(q, target) for q in self.critic(obs, act))
        opt.zero_grad()
        self.manual_backward(loss)
        opt.step()
        return loss

    def update_actor_and_alpha(self, opt_a, opt_t, obs):
        _, a, logp = self.actor(obs, detach_encoder=True)
        q = torch.min(*self.critic(obs, a, detach_encoder=True))
        loss = (self.alpha.detach() * logp - q).mean()
        opt_a.zero_grad()
        self.manual_backward(loss)
        opt_a.step()
        opt_t.zero_grad()
        temp = (self.alpha * (-logp + a.size(-1)).detach()).mean()
        self.manual_backward(temp)
        opt_t.step()
        return loss, temp

    def training_step(self, batch, batch_idx):
        obs, act, rew, nxt = batch
        obs, nxt = random_shift(obs), random_shift(nxt)
        oc, oa, ot = self.optimizers()
        logs = {"critic": self.update_critic(oc, obs, act, rew, nxt)}
        if batch_idx % self.hparams.update_freq == 0:
            logs["actor"], logs["temp"] = self.update_actor_and_alpha(oa, ot, obs)
            with torch.no_grad():
                for p, t in zip(self.critic.parameters(), self.target.parameters()):
                    t.copy_(self.hparams.tau * p + (1 - self.hparams.tau) * t)
        self.log_dict({k: v.detach() for k, v in logs.items()})

    def configure_optimizers(self):
        tied = {id(p) for p in self.critic.parameters()}
        own = [p for p in self.actor.parameters() if id(p) not in tied]
        return [torch.optim.Adam(self.critic.parameters(), 1e-3), torch.optim.Adam(own, 1e-3), torch.optim.Adam([self.log_alpha], 1e-4, betas=(0.5, 0.999))]


def dataloader():
    g = torch.Generator().manual_seed(3121)
    img = lambda: torch.randint(0, 256, (24, 2, 7, 7), generator=g).float()
    return DataLoader(TensorDataset(img(), torch.rand(24, 2, generator=g) * 2 - 1, torch.randn(24, 1, generator=g), img()), batch_size=8)


EXPECT = {'verdict': 'healthy',
 'why': 'Convolutions are shared with the critic, which trains them; the actor '
        'detaches them on purpose.',
 'all_grads_by_step': 1,
 'source': 'held',
 'steps': 9}
