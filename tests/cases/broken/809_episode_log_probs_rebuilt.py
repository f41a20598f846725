# SPDX-License-Identifier: Apache-2.0
"""REINFORCE over an episode: log-probs are collected and turned into a tensor with torch.tensor."""
import numpy as np

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(3, 12), nn.Tanh(), nn.Linear(12, 2))

    def act(self, s):
        dist = torch.distributions.Categorical(logits=self.net(s))
        a = dist.sample()
        return a, dist.log_prob(a)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.policy = Policy()

    def rollout(self, s):
        logps, rewards = [], []
        for _ in range(5):
            a, lp = self.policy.act(s)
            s = 0.9 * s + 0.1 * (a.float() - 0.5)
            logps.append(lp)
            rewards.append(float(-s.abs().sum()))
        return logps, rewards

    def training_step(self, batch, batch_idx):
        (s0,) = batch
        logps, rewards = self.rollout(s0[0])
        returns = np.cumsum(rewards[::-1])[::-1].copy()
        returns = torch.tensor(returns, dtype=torch.float32)
        loss = -(torch.tensor(logps) * (returns - returns.mean())).sum()  # <-- CAUSE
        self.log("return", returns[0])
        return loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(809)
    return DataLoader(TensorDataset(torch.randn(6, 3, generator=g)), batch_size=1)


EXPECT = {'verdict': 'broken', 'cause': 'torch.tensor', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'held', 'notes': '', 'symptom': 'no_grad_loss'}
