# SPDX-License-Identifier: Apache-2.0
"""TD3: twin critics every batch, the actor every second batch, targets by polyak averaging under no_grad."""
import copy

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

def mlp(i, o):
    return nn.Sequential(nn.Linear(i, 12), nn.ReLU(), nn.Linear(12, o))


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.actor, self.q1, self.q2 = mlp(4, 2), mlp(6, 1), mlp(6, 1)
        self.t_actor, self.t_q1, self.t_q2 = (copy.deepcopy(m).requires_grad_(False) for m in (self.actor, self.q1, self.q2))

    def training_step(self, batch, batch_idx):
        s, a, r, s2 = batch
        opt_a, opt_c = self.optimizers()
        with torch.no_grad():
            a2 = (self.t_actor(s2).tanh() + 0.1 * torch.randn_like(a).clamp(-0.5, 0.5)).clamp(-1, 1)
            x2 = torch.cat([s2, a2], 1)
            y = r[:, None] + 0.99 * torch.min(self.t_q1(x2), self.t_q2(x2))
        x = torch.cat([s, a], 1)
        opt_c.zero_grad()
        self.manual_backward(F.mse_loss(self.q1(x), y) + F.mse_loss(self.q2(x), y))
        opt_c.step()
        if batch_idx % 2 == 1:
            opt_a.zero_grad()
            self.manual_backward(-self.q1(torch.cat([s, self.actor(s).tanh()], 1)).mean())
            opt_a.step()
            with torch.no_grad():
                for t, o in ((self.t_actor, self.actor), (self.t_q1, self.q1), (self.t_q2, self.q2)):
                    for pt, po in zip(t.parameters(), o.parameters()):
                        pt.mul_(0.995).add_(0.005 * po)

    def configure_optimizers(self):
        critics = list(self.q1.parameters()) + list(self.q2.parameters())
        return torch.optim.Adam(self.actor.parameters(), 1e-3), torch.optim.Adam(critics, 1e-3)


def dataloader():
    g = torch.Generator().manual_seed(915)
    return DataLoader(TensorDataset(torch.randn(48, 4, generator=g), torch.randn(48, 2, generator=g), torch.randn(48, generator=g), torch.randn(48, 4, generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': 'TD3: twin critics every batch, the actor every second batch, targets by polyak averaging under no_grad.', 'all_grads_by_step': 2, 'source': 'held', 'steps': 6, 'late': {'actor.*': 2}}
