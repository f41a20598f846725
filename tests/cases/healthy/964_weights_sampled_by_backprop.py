# SPDX-License-Identifier: Apache-2.0
"""Bayes by backprop: weights are rsampled, the KL is closed-form, predictive entropy is logged from hard samples."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class BayesLinear(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.mu, self.rho = nn.Parameter(0.1 * torch.randn(o, i)), nn.Parameter(torch.full((o, i), -3.0))

    def posterior(self):
        return torch.distributions.Normal(self.mu, F.softplus(self.rho))

    def forward(self, x):
        return F.linear(x, self.posterior().rsample())

    def kl(self):
        return torch.distributions.kl_divergence(self.posterior(), torch.distributions.Normal(0.0, 1.0)).sum()


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.l1, self.l2 = BayesLinear(5, 10), BayesLinear(10, 3)

    def training_step(self, batch, batch_idx):
        x, y = batch
        logits = self.l2(self.l1(x).relu())
        with torch.no_grad():
            draws = torch.stack([self.l2(self.l1(x).relu()).softmax(1) for _ in range(3)])
            label = torch.distributions.Categorical(probs=draws.mean(0)).sample()
        self.log("sampled_acc", (label == y).float().mean())
        return F.cross_entropy(logits, y) + (self.l1.kl() + self.l2.kl()) / 1000

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(964)
    return DataLoader(TensorDataset(torch.randn(24, 5, generator=g), torch.randint(0, 3, (24,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': 'Bayes by backprop: weights are rsampled, the KL is closed-form, predictive entropy is logged from hard samples.', 'all_grads_by_step': 1, 'source': 'held'}
