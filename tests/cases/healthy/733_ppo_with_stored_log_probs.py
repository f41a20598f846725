# SPDX-License-Identifier: Apache-2.0
"""PPO on stored rollouts: old log-probabilities and advantages are constants."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.trunk, self.actor, self.critic = nn.Linear(4, 12), nn.Linear(12, 3), nn.Linear(12, 1)

    def dist(self, s):
        return torch.distributions.Categorical(logits=self.actor(self.trunk(s).tanh()))

    def training_step(self, batch, batch_idx):
        s, ret = batch
        with torch.no_grad():
            old = self.dist(s)
            action = old.sample()
            old_logp = old.log_prob(action)
            value_old = self.critic(self.trunk(s).tanh())[:, 0]
        adv = ret - value_old
        adv = (adv - adv.mean()) / (adv.std() + 1e-8)
        ratio = (self.dist(s).log_prob(action) - old_logp).exp()
        surrogate = torch.min(ratio * adv, ratio.clamp(0.8, 1.2) * adv).mean()
        kl = (old_logp - self.dist(s).log_prob(action)).mean().item()
        self.log("approx_kl", kl)
        value = self.critic(self.trunk(s).tanh())[:, 0]
        return -surrogate + 0.5 * F.mse_loss(value, ret)

    def configure_optimizers(self):
        return torch.optim.RMSprop(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(733)
    x = torch.randn(24, 4, generator=g)
    return DataLoader(TensorDataset(x, torch.randn(24, generator=g)), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "Only the new log-probability carries the policy gradient.",
    "all_grads_by_step": 1,
    "source": "own",
}
