# SPDX-License-Identifier: Apache-2.0
"""Both log-probabilities of the PPO ratio are detached, so the surrogate is a constant."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Linear(4, 12)
        self.actor, self.critic = nn.Linear(12, 3), nn.Linear(12, 1)

    def training_step(self, batch, batch_idx):
        s, ret = batch
        h = torch.tanh(self.trunk(s))
        dist = torch.distributions.Categorical(logits=self.actor(h))
        action = (s[:, 0] > 0).long()
        old = torch.full_like(ret, -1.0)
        adv = (ret - self.critic(h)[:, 0]).detach()
        ratio = (dist.log_prob(action).detach() - old).exp()  # <-- CAUSE
        policy_loss = -torch.min(ratio * adv, ratio.clamp(0.8, 1.2) * adv).mean()
        self.log("policy_loss", policy_loss)
        value_loss = F.mse_loss(self.critic(h)[:, 0], ret)
        return policy_loss + 0.5 * value_loss - 0.01 * dist.entropy().mean()

    def configure_optimizers(self):
        return torch.optim.RMSprop(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(628)
    x = torch.randn(24, 4, generator=g)
    return DataLoader(TensorDataset(x, torch.randn(24, generator=g)), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "dead_term",
    "cause": "Tensor.detach",
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": None,
    "term": "policy_loss",
    "quiet": ["actor.*"],
    "source": "own",
    "notes": "",
}
