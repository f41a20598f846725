# SPDX-License-Identifier: Apache-2.0
"""Deep kernel learning by exact marginal likelihood; the noise floor and jitter are constants."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.feat = nn.Sequential(nn.Linear(3, 12), nn.Tanh(), nn.Linear(12, 2))
        self.log_ls, self.log_os, self.log_noise = (nn.Parameter(torch.zeros(())) for _ in range(3))
        self.mean = nn.Parameter(torch.zeros(()))

    def training_step(self, batch, batch_idx):
        x, y = batch
        z = self.feat(x) / self.log_ls.exp()
        d2 = (z[:, None] - z[None]).pow(2).sum(-1)
        k = self.log_os.exp() * torch.exp(-0.5 * d2) + (self.log_noise.exp() + 1e-4) * torch.eye(len(x))
        dist = torch.distributions.MultivariateNormal(self.mean.expand(len(x)), covariance_matrix=k)
        self.log("lengthscale", self.log_ls.exp().item())
        return -dist.log_prob(y) / len(x)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(950)
    return DataLoader(TensorDataset(torch.randn(30, 3, generator=g), torch.randn(30, generator=g)), batch_size=10)


EXPECT = {'verdict': 'healthy', 'why': 'Deep kernel learning by exact marginal likelihood; the noise floor and jitter are constants.', 'all_grads_by_step': 1, 'source': 'held'}
