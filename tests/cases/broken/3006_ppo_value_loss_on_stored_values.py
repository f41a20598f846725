# SPDX-License-Identifier: Apache-2.0
"""PPO: the clipped value loss compares the stored values, not the fresh ones, with the returns."""
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


@dataclass
class Rollout:
    obs: Tensor
    actions: Tensor
    log_probs: Tensor
    values: Tensor
    advantages: Tensor
    returns: Tensor

    def minibatches(self, size: int):
        for idx in torch.randperm(len(self.obs)).split(size):
            yield Rollout(*(getattr(self, f)[idx] for f in self.__dataclass_fields__))


def layer_init(layer: nn.Linear, std: float = math.sqrt(2), bias: float = 0.0) -> nn.Linear:
    nn.init.orthogonal_(layer.weight, std)
    nn.init.constant_(layer.bias, bias)
    return layer


class Agent(nn.Module):
    def __init__(self, obs: int, acts: int):
        super().__init__()
        self.critic = nn.Sequential(layer_init(nn.Linear(obs, 16)), nn.Tanh(), layer_init(nn.Linear(16, 1), std=1.0))
        self.actor = nn.Sequential(layer_init(nn.Linear(obs, 16)), nn.Tanh(), layer_init(nn.Linear(16, acts), std=0.01))

    def act(self, obs: Tensor, action: Optional[Tensor] = None):
        dist = torch.distributions.Categorical(logits=self.actor(obs))
        action = dist.sample() if action is None else action
        return action, dist.log_prob(action), dist.entropy(), self.critic(obs).squeeze(-1)


def gae(rewards: Tensor, values: Tensor, gamma: float, lam: float) -> tuple[Tensor, Tensor]:
    adv, last = torch.zeros_like(rewards), 0.0
    for t in reversed(range(len(rewards))):
        nxt = values[t + 1] if t + 1 < len(rewards) else 0.0
        delta = rewards[t] + gamma * nxt - values[t]
        adv[t] = last = delta + gamma * lam * last
    return adv, adv + values


class PPOLoss:
    def __init__(self, clip: float, vf: float, ent: float, clip_vloss: bool = True):
        self.clip, self.vf, self.ent, self.clip_vloss = clip, vf, ent, clip_vloss

    def value(self, new: Tensor, batch: Rollout) -> Tensor:
        if not self.clip_vloss:
            return 0.5 * F.mse_loss(new, batch.returns)
        clipped = batch.values + torch.clamp(batch.values - new.detach(), -self.clip, self.clip)  # <-- CAUSE
        unclipped_loss = (batch.values - batch.returns) ** 2
        return 0.5 * torch.max(unclipped_loss, (clipped - batch.returns) ** 2).mean()

    def __call__(self, agent: Agent, batch: Rollout) -> tuple[Tensor, dict[str, Tensor]]:
        _, logp, entropy, value = agent.act(batch.obs, batch.actions)
        ratio = (logp - batch.log_probs).exp()
        adv = (batch.advantages - batch.advantages.mean()) / (batch.advantages.std() + 1e-8)
        policy = -torch.min(adv * ratio, adv * ratio.clamp(1 - self.clip, 1 + self.clip)).mean()
        with torch.no_grad():
            approx_kl = ((ratio - 1) - (logp - batch.log_probs)).mean()
            clipfrac = ((ratio - 1.0).abs() > self.clip).float().mean()
        v = self.value(value, batch)
        total = policy - self.ent * entropy.mean() + self.vf * v
        return total, {"policy": policy, "entropy": entropy.mean(), "kl": approx_kl, "clipfrac": clipfrac}


class Model(pl.LightningModule):
    def __init__(self, gamma: float = 0.99, lam: float = 0.95, epochs: int = 2):
        super().__init__()
        self.save_hyperparameters()
        self.automatic_optimization = False
        self.agent = Agent(4, 3)
        self.criterion = PPOLoss(0.2, 0.5, 0.01)

    @torch.no_grad()
    def rollout(self, obs: Tensor) -> Rollout:
        actions, logp, _, values = self.agent.act(obs)
        rewards = torch.cos(obs.sum(-1)) + 0.1 * actions.float()
        adv, ret = gae(rewards, values, self.hparams.gamma, self.hparams.lam)
        return Rollout(obs, actions, logp, values, adv, ret)

    def training_step(self, batch, batch_idx):
        (obs,) = batch
        opt = self.optimizers()
        data = self.rollout(obs)
        for _ in range(self.hparams.epochs):
            for mb in data.minibatches(8):
                loss, stats = self.criterion(self.agent, mb)
                opt.zero_grad()
                self.manual_backward(loss)
                self.clip_gradients(opt, gradient_clip_val=0.5, gradient_clip_algorithm="norm")
                opt.step()
        self.log_dict(stats)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=2.5e-4, eps=1e-5)


def dataloader():
    g = torch.Generator().manual_seed(3006)
    return DataLoader(TensorDataset(torch.randn(64, 4, generator=g)), batch_size=16)


EXPECT = {'verdict': 'broken',
 'symptom': 'missing',
 'cause': 'Tensor.detach',
 'params': ['agent.critic.*'],
 'metric_like': None,
 'source': 'held',
 'notes': '',
 'steps': 8,
 'line_marker': '# <-- CAUSE'}
