# SPDX-License-Identifier: Apache-2.0
"""DDPG: critic and actor by turns, targets updated in place after the steps."""
import copy
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.actor, self.critic = nn.Linear(6, 2), nn.Linear(8, 1)
        self.actor_t = copy.deepcopy(self.actor).requires_grad_(False)
        self.critic_t = copy.deepcopy(self.critic).requires_grad_(False)

    def training_step(self, batch, batch_idx):
        (s,) = batch
        a = (self.actor(s) + 0.1 * torch.randn(len(s), 2)).detach()
        opt_a, opt_c = self.optimizers()
        target = s.sum(1, keepdim=True) + 0.9 * self.critic_t(torch.cat([s, self.actor_t(s)], 1))
        loss_c = F.mse_loss(self.critic(torch.cat([s, a], 1)), target)
        opt_c.zero_grad()
        self.manual_backward(loss_c)
        opt_c.step()
        loss_a = -self.critic(torch.cat([s, self.actor(s).tanh()], 1)).mean()
        opt_a.zero_grad()
        self.manual_backward(loss_a)
        opt_a.step()
        with torch.no_grad():
            for t, p in zip([*self.actor_t.parameters(), *self.critic_t.parameters()],
                            [*self.actor.parameters(), *self.critic.parameters()]):
                t.mul_(0.95).add_(p, alpha=0.05)
        self.log_dict({"a": loss_a.detach(), "c": loss_c.detach()})

    def configure_optimizers(self):
        return torch.optim.Adam(self.actor.parameters()), torch.optim.Adam(self.critic.parameters())


def dataloader():
    g = torch.Generator().manual_seed(2115)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': 'DDPG: critic and actor by turns, targets updated in place after the steps.', 'all_grads_by_step': 1, 'source': 'own', 'steps': 6}
