# SPDX-License-Identifier: Apache-2.0
"""OpenAI-style evolution strategy: antithetic perturbations under no_grad, the estimate is written into .grad."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Model(pl.LightningModule):
    def __init__(self, sigma=0.05, pairs=4):
        super().__init__()
        self.automatic_optimization = False
        self.policy = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 2))
        self.sigma, self.pairs = sigma, pairs

    def fitness(self, x, y):
        return -(self.policy(x).argmax(1) != y).float().mean() - F.cross_entropy(self.policy(x), y)

    @torch.no_grad()
    def training_step(self, batch, batch_idx):
        x, y = batch
        params = list(self.policy.parameters())
        opt = self.optimizers()
        opt.zero_grad()
        for p in params:
            p.grad = torch.zeros_like(p)
        for _ in range(self.pairs):
            eps = [torch.randn_like(p) for p in params]
            for sign in (1, -1):
                for p, e in zip(params, eps):
                    p.add_(e, alpha=sign * self.sigma)
                f = self.fitness(x, y)
                for p, e in zip(params, eps):
                    p.sub_(e, alpha=sign * self.sigma)
                    p.grad.sub_(sign * f * e / (2 * self.sigma * self.pairs))
        opt.step()
        self.log("fitness", f)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(934)
    return DataLoader(TensorDataset(torch.randn(24, 3, generator=g), torch.randint(0, 2, (24,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': 'OpenAI-style evolution strategy: antithetic perturbations under no_grad, the estimate is written into .grad.', 'all_grads_by_step': 1, 'source': 'held'}
