# SPDX-License-Identifier: Apache-2.0
"""A reparametrised sample of a transformed normal and its log-probability."""
from torch.distributions import Independent, Normal, TransformedDistribution, kl_divergence
from torch.distributions.transforms import TanhTransform
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.mu, self.sd = nn.Linear(6, 3), nn.Linear(6, 3)
        self.q = nn.Linear(9, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        base = Normal(self.mu(x), F.softplus(self.sd(x)) + 1e-3)
        dist = TransformedDistribution(base, [TanhTransform(cache_size=1)])
        a = dist.rsample()
        shown = dist.sample().abs().mean()
        self.log("action", shown)
        prior = Independent(Normal(torch.zeros(3), 1.0), 1)
        kl = kl_divergence(Independent(base, 1), prior).mean()
        return F.mse_loss(self.q(torch.cat([x, a], 1)), y) + 0.01 * dist.log_prob(a).mean() + 0.1 * kl

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1239)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'A reparametrised sample of a transformed normal and its log-probability.',
    'all_grads_by_step': 1,
    'source': 'own',
}
