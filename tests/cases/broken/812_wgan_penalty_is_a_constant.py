# SPDX-License-Identifier: Apache-2.0
"""WGAN-GP critic: the gradient penalty is computed without create_graph, it changes nothing."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Critic(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, 16), nn.Softplus(), nn.Linear(16, 1))

    def forward(self, x):
        return self.net(x).squeeze(-1)


def gradient_penalty(critic, real, fake):
    a = torch.rand(len(real), 1)
    mix = (a * real + (1 - a) * fake).requires_grad_(True)
    grad = torch.autograd.grad(critic(mix).sum(), mix)[0]  # <-- CAUSE
    return (grad.norm(2, dim=1) - 1).pow(2).mean()


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.g = nn.Sequential(nn.Linear(3, 12), nn.ReLU(), nn.Linear(12, 2))
        self.d = Critic()

    def training_step(self, batch, batch_idx):
        (real,) = batch
        opt_g, opt_d = self.optimizers()
        fake = self.g(torch.randn(len(real), 3))
        gp = gradient_penalty(self.d, real, fake.detach())
        self.log("gp", gp)
        d_loss = self.d(fake.detach()).mean() - self.d(real).mean() + 10 * gp
        opt_d.zero_grad()
        self.manual_backward(d_loss)
        opt_d.step()
        g_loss = -self.d(fake).mean()
        opt_g.zero_grad()
        self.manual_backward(g_loss)
        opt_g.step()

    def configure_optimizers(self):
        return torch.optim.Adam(self.g.parameters(), 1e-4), torch.optim.Adam(self.d.parameters(), 1e-4)


def dataloader():
    g = torch.Generator().manual_seed(812)
    return DataLoader(TensorDataset(torch.randn(24, 2, generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'cause': 'torch.autograd.grad', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'held', 'notes': '', 'symptom': 'dead_term', 'term': 'gp', 'steps': 6, 'quiet': ['g.*']}
