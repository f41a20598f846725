# SPDX-License-Identifier: Apache-2.0
"""A2C with n-step returns: the advantage uses value.item(), so the value head never trains."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class ActorCritic(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(5, 16), nn.ReLU())
        self.pi = nn.Linear(16, 3)
        self.v = nn.Linear(16, 1)

    def forward(self, s):
        h = self.body(s)
        return torch.distributions.Categorical(logits=self.pi(h)), self.v(h).squeeze(-1)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.ac = ActorCritic()

    def training_step(self, batch, batch_idx):
        states, rewards = batch
        saved = []
        for s, r in zip(states, rewards):
            dist, value = self.ac(s)
            saved.append((dist.log_prob(dist.sample()), value, r))
        ret, policy_losses, value_losses = 0.0, [], []
        for logp, value, r in reversed(saved):
            ret = r + 0.99 * ret
            advantage = ret - value.item()  # <-- CAUSE
            policy_losses.append(-logp * advantage)
            value_losses.append(F.smooth_l1_loss(torch.as_tensor(advantage), torch.tensor(0.0)))
        self.log("v_loss", torch.stack(value_losses).mean())
        return torch.stack(policy_losses).sum() + torch.stack(value_losses).sum()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(810)
    return DataLoader(TensorDataset(torch.randn(18, 5, generator=g), torch.randn(18, generator=g)), batch_size=6)


EXPECT = {'verdict': 'broken', 'cause': 'Tensor.item', 'line_marker': '# <-- CAUSE', 'params': ['ac.v.*'], 'metric_like': None, 'source': 'held', 'notes': '', 'symptom': 'missing'}
