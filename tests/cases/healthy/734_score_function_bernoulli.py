# SPDX-License-Identifier: Apache-2.0
"""A Bernoulli mask is sampled; its log-probability times a detached reward trains the sampler."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.gate, self.net = nn.Linear(6, 6), nn.Linear(6, 2)
        self.baseline = 0.0

    def training_step(self, batch, batch_idx):
        x, y = batch
        dist = torch.distributions.Bernoulli(logits=self.gate(x))
        mask = dist.sample()
        ce = F.cross_entropy(self.net(x * mask), y, reduction="none")
        reward = -(ce + 0.01 * mask.sum(1)).detach()
        self.baseline = 0.9 * self.baseline + 0.1 * reward.mean().item()
        policy = -((reward - self.baseline) * dist.log_prob(mask).sum(1)).mean()
        return ce.mean() + policy

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.02, momentum=0.9)


def dataloader():
    g = torch.Generator().manual_seed(734)
    x = torch.randn(24, 6, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 2, (24,), generator=g)), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "The sample is a constant by design, the score function has the gradient.",
    "all_grads_by_step": 1,
    "source": "own",
}
