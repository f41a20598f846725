# SPDX-License-Identifier: Apache-2.0
"""Reward is regressed from a sampled action; log_prob of the action is never used."""

import pytorch_lightning as pl
import torch
import torch.nn as nn
from torch.distributions import Categorical
from torch.utils.data import DataLoader, TensorDataset


class Actor(nn.Module):
    def __init__(self, obs, acts):
        super().__init__()
        self.pi = nn.Sequential(nn.Linear(obs, 8), nn.Tanh(), nn.Linear(8, acts))

    def act(self, obs):
        return Categorical(logits=self.pi(obs)).sample()  # <-- CAUSE


class Critic(nn.Module):
    def __init__(self, obs, acts):
        super().__init__()
        self.action_emb = nn.Embedding(acts, 4)
        self.q = nn.Linear(obs + 4, 1)

    def forward(self, obs, act):
        return self.q(torch.cat([obs, self.action_emb(act)], dim=-1)).squeeze(-1)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.actor, self.critic = Actor(4, 3), Critic(4, 3)

    def training_step(self, batch, batch_idx):
        (obs,) = batch
        action = self.actor.act(obs)
        return -self.critic(obs, action).mean()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(354)
    return DataLoader(TensorDataset(torch.randn(24, 4, generator=g)), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "Categorical.sample",
    "cause_alt": ["Distribution.sample", "sample", "no_grad", "torch.multinomial"],
    "line_marker": "# <-- CAUSE",
    "params": ["actor.*"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
