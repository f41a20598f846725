# SPDX-License-Identifier: Apache-2.0
"""SAC: reparameterised policy, twin critics with a soft target update, learned temperature; three optimizers."""

import copy

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.pi = nn.Linear(3, 4)
        self.q = nn.ModuleList([nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 1)) for _ in range(2)])
        self.q_slow = copy.deepcopy(self.q).requires_grad_(False)
        self.log_alpha = nn.Parameter(torch.zeros(()))

    def sample(self, s):
        mu, log_std = self.pi(s).chunk(2, 1)
        dist = torch.distributions.Normal(mu, log_std.clamp(-5, 2).exp())
        raw = dist.rsample()
        act = torch.tanh(raw)
        return act, (dist.log_prob(raw) - torch.log(1 - act ** 2 + 1e-6)).sum(1)

    def training_step(self, batch, batch_idx):
        s, r = batch
        opts = self.optimizers()
        alpha = self.log_alpha.exp().detach()
        with torch.no_grad():
            a2, lp2 = self.sample(s.roll(1, 0))
            nxt = torch.cat([s.roll(1, 0), a2], 1)
            target = r + 0.9 * (torch.min(self.q_slow[0](nxt), self.q_slow[1](nxt)).squeeze(1) - alpha * lp2)
        old = torch.cat([s, torch.zeros(len(s), 2)], 1)
        q_loss = sum(F.mse_loss(q(old).squeeze(1), target) for q in self.q)
        self.update(opts[0], q_loss)
        a, lp = self.sample(s)
        value = torch.min(*[q(torch.cat([s, a], 1)) for q in self.q]).squeeze(1)
        self.update(opts[1], (alpha * lp - value).mean())
        self.update(opts[2], -(self.log_alpha * (lp - 2.0).detach()).mean())
        with torch.no_grad():
            for slow, fast in zip(self.q_slow.parameters(), self.q.parameters(), strict=True):
                slow.mul_(0.99).add_(0.01 * fast)

    def update(self, opt, loss):
        opt.zero_grad()
        self.manual_backward(loss)
        opt.step()

    def configure_optimizers(self):
        return [torch.optim.Adam(p) for p in (self.q.parameters(), self.pi.parameters(), [self.log_alpha])]


def dataloader():
    g = torch.Generator().manual_seed(513)
    data = TensorDataset(torch.randn(24, 3, generator=g), torch.randn(24, generator=g))
    return DataLoader(data, batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "Every cut is one of the algorithm's own: target, temperature in the actor loss, entropy in the temperature loss.",
    "steps": 9, "all_grads_by_step": 1,
    "source": "own",
}
