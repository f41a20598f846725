# SPDX-License-Identifier: Apache-2.0
"""RLHF-style PPO: old log-probs are the new ones (same tensor, not detached): ratio is 1 and the policy gradient exactly zero."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.actor = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 4))
        self.critic = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 1))

    def training_step(self, batch, batch_idx):
        obs, act, ret = batch
        dist = torch.distributions.Categorical(logits=self.actor(obs))
        logp = dist.log_prob(act)
        old_logp = logp
        value = self.critic(obs).squeeze(-1)
        adv = (ret - value).detach()
        ratio = torch.exp(logp - old_logp)  # <-- CAUSE
        policy_loss = -torch.min(ratio * adv, ratio.clamp(0.8, 1.2) * adv).mean()
        value_loss = F.mse_loss(value, ret)
        self.log_dict({"pi": policy_loss, "v": value_loss})
        return policy_loss + 0.5 * value_loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(806)
    return DataLoader(TensorDataset(torch.randn(32, 6, generator=g), torch.randint(0, 4, (32,), generator=g), torch.randn(32, generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'cause': 'sub', 'line_marker': '# <-- CAUSE', 'params': ['actor.*'], 'metric_like': None, 'source': 'held', 'notes': '', 'symptom': 'zero'}
