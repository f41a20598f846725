# SPDX-License-Identifier: Apache-2.0
"""Advantage actor-critic: two losses, two optimizers, the advantage detached for the actor."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.actor = nn.Sequential(nn.Linear(4, 10), nn.ReLU(), nn.Linear(10, 3))
        self.critic = nn.Sequential(nn.Linear(4, 10), nn.ReLU(), nn.Linear(10, 1))

    def training_step(self, batch, batch_idx):
        s, reward = batch
        actor_opt, critic_opt = self.optimizers()
        dist = torch.distributions.Categorical(logits=self.actor(s))
        action = dist.sample()
        value = self.critic(s).squeeze(1)
        advantage = reward * (action == 0) - value

        critic_opt.zero_grad()
        self.manual_backward(advantage.pow(2).mean())
        critic_opt.step()

        actor_opt.zero_grad()
        self.manual_backward(-(dist.log_prob(action) * advantage.detach()).mean())
        actor_opt.step()

    def configure_optimizers(self):
        return [torch.optim.Adam(self.actor.parameters()), torch.optim.Adam(self.critic.parameters())]


def dataloader():
    g = torch.Generator().manual_seed(512)
    data = TensorDataset(torch.randn(24, 4, generator=g), torch.randn(24, generator=g))
    return DataLoader(data, batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "At the critic's step the actor has no gradient yet; by the end of the batch both have one.",
    "steps": 6, "all_grads_by_step": 1,
    "source": "own",
}
