# SPDX-License-Identifier: Apache-2.0
"""REINFORCE with a running baseline kept as a float by a helper."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(6, 4)
        self.baseline = 0.0

    def remember(self, reward):
        self.baseline = 0.9 * self.baseline + 0.1 * reward.mean().item()

    def training_step(self, batch, batch_idx):
        x, y = batch
        dist = torch.distributions.Categorical(logits=self.net(x))
        a = dist.sample()
        reward = (a == y).float() + 0.1 * dist.probs.detach().amax(1)
        adv = reward - self.baseline
        self.remember(reward)
        return -(adv * dist.log_prob(a)).mean() - 0.01 * dist.entropy().mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1361)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'REINFORCE with a running baseline kept as a float by a helper.',
    'all_grads_by_step': 1,
    'source': 'own',
}
