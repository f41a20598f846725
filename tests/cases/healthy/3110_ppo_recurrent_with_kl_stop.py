# SPDX-License-Identifier: Apache-2.0
"""PPO with a recurrent policy, several epochs, early stop by KL, and a value loss clipped around stored values."""
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


class Normalizer(nn.Module):
    def __init__(self, d: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(d))
        self.register_buffer("var", torch.ones(d))
        self.register_buffer("count", torch.tensor(1e-4))

    @torch.no_grad()
    def update(self, x: Tensor) -> None:
        m, v, n = x.mean((0, 1)), x.var((0, 1)), x.shape[0] * x.shape[1]
        delta, total = m - self.mean, self.count + n
        self.var = (self.var * self.count + v * n + delta**2 * self.count * n / total) / total
        self.mean, self.count = self.mean + delta * n / total, total

    def forward(self, x: Tensor) -> Tensor:
        return ((x - self.mean) / (self.var + 1e-8).sqrt()).clamp(-10, 10)


class Policy(nn.Module):
    def __init__(self, obs: int, act: int, d: int = 12):
        super().__init__()
        self.norm, self.gru = Normalizer(obs), nn.GRU(obs, d, batch_first=True)
        self.pi, self.v = nn.Linear(d, act), nn.Linear(d, 1)
        self.log_std = nn.Parameter(torch.full((act,), -0.5))

    def forward(self, obs: Tensor):
        h, _ = self.gru(self.norm(obs))
        return torch.distributions.Independent(torch.distributions.Normal(self.pi(h), self.log_std.exp()), 1), self.v(h).squeeze(-1)


def compute_gae(rew: Tensor, val: Tensor, done: Tensor, gamma: float, lam: float) -> Tensor:
    adv, run = torch.zeros_like(rew), torch.zeros(len(rew))
    for t in range(rew.size(1) - 1, -1, -1):
        nxt = val[:, t + 1] if t < rew.size(1) - 1 else torch.zeros(len(rew))
        run = rew[:, t] + gamma * nxt * (1 - done[:, t]) - val[:, t] + gamma * lam * (1 - done[:, t]) * run
        adv[:, t] = run
    return adv


class Model(pl.LightningModule):
    def __init__(self, epochs: int = 3, clip: float = 0.2, target_kl: float = 0.05, ent: float = 0.01):
        super().__init__()
        self.save_hyperparameters()
        self.automatic_optimization = False
        self.policy = Policy(4, 2)

    def environment(self, obs: Tensor, act: Tensor) -> Tensor:
        return -(obs[..., :2] - act).pow(2).sum(-1)

    def collect(self, obs: Tensor) -> dict[str, Tensor]:
        with torch.no_grad():
            self.policy.norm.update(obs)
            dist, value = self.policy(obs)
            act = dist.sample()
            rew = self.environment(obs, act)
            done = (torch.rand(rew.shape) < 0.1).float()
            adv = compute_gae(rew, value, done, 0.99, 0.95)
            return dict(obs=obs, act=act, logp=dist.log_prob(act), val=value, ret=adv + value, adv=(adv - adv.mean()) / (adv.std() + 1e-8))

    def training_step(self, batch, batch_idx):
        hp, opt, sched = self.hparams, self.optimizers(), self.lr_schedulers()
        b = self.collect(batch[0])
        stats = defaultdict(list)
        for epoch in range(hp.epochs):
            dist, value = self.policy(b["obs"])
            logr = dist.log_prob(b["act"]) - b["logp"]
            ratio = logr.exp()
            surr = torch.minimum(ratio * b["adv"], ratio.clamp(1 - hp.clip, 1 + hp.clip) * b["adv"])
            clipped = b["val"] + (value - b["val"]).clamp(-hp.clip, hp.clip)
            v_loss = 0.5 * torch.maximum((value - b["ret"]) ** 2, (clipped - b["ret"]) ** 2).mean()
            entropy = dist.entropy().mean()
            loss = -surr.mean() + 0.5 * v_loss - hp.ent * entropy
            kl = (ratio - 1 - logr).mean().item()
            stats["kl"].append(kl)
            stats["clipfrac"].append(((ratio - 1).abs() > hp.clip).float().mean().item())
            if kl > 1.5 * hp.target_kl:
                break
            opt.zero_grad(set_to_none=True)
            self.manual_backward(loss)
            norm = nn.utils.clip_grad_norm_(self.policy.parameters(), 0.5)
            stats["norm"].append(float(norm))
            opt.step()
        sched.step()
        ev = 1 - (b["ret"] - b["val"]).var() / b["ret"].var()
        self.log_dict({k: float(np.mean(v)) for k, v in stats.items()} | {"explained_var": ev, "v_loss": v_loss})

    def configure_optimizers(self):
        opt = torch.optim.Adam(self.parameters(), lr=3e-4, eps=1e-5)
        return [opt], [torch.optim.lr_scheduler.LinearLR(opt, 1.0, 0.1, 100)]


def dataloader():
    g = torch.Generator().manual_seed(3110)
    return DataLoader(TensorDataset(torch.randn(24, 5, 4, generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy',
 'why': 'Stored log-probabilities, values and advantages are constants by '
        'design.',
 'all_grads_by_step': 1,
 'source': 'held',
 'steps': 6}
