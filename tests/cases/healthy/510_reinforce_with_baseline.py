# SPDX-License-Identifier: Apache-2.0
"""REINFORCE on a bandit: sampled actions, log-probability times a reward from a Python loop, moving baseline."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.policy = nn.Sequential(nn.Linear(4, 12), nn.Tanh(), nn.Linear(12, 3))
        self.baseline = 0.0

    @staticmethod
    def play(states, actions):
        return [1.0 if int(s[:3].argmax()) == a else -0.2 for s, a in zip(states, actions, strict=True)]

    def training_step(self, batch, batch_idx):
        (s,) = batch
        dist = torch.distributions.Categorical(logits=self.policy(s))
        action = dist.sample()
        reward = torch.tensor(self.play(s, action.tolist()))
        advantage = reward - self.baseline
        self.baseline = 0.9 * self.baseline + 0.1 * reward.mean().item()
        loss = -(dist.log_prob(action) * advantage).mean() - 0.01 * dist.entropy().mean()
        self.log("reward", reward.mean())
        return loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def dataloader():
    g = torch.Generator().manual_seed(510)
    return DataLoader(TensorDataset(torch.randn(24, 4, generator=g)), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "Sampling and reward have no gradient by nature; log_prob and entropy have one.",
    "all_grads_by_step": 1,
    "source": "own",
}
