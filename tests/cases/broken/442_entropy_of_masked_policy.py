# SPDX-License-Identifier: Apache-2.0
"""Entropy bonus p * log p over probabilities that an action mask has set to exactly zero."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class MaskedPolicy(nn.Module):
    def __init__(self, obs, actions):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(obs, 16), nn.Tanh(), nn.Linear(16, actions))

    def forward(self, obs, legal):
        return self.net(obs).masked_fill(~legal, float("-inf")).softmax(-1)

    @staticmethod
    def entropy(p):
        return -(p * torch.log(p)).sum(-1).mean()  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.actor = MaskedPolicy(4, 5)
        self.critic = nn.Linear(4, 1)

    def training_step(self, batch, batch_idx):
        obs, action, ret = batch
        legal = torch.ones(len(obs), 5, dtype=torch.bool)
        legal[:, 3:] = False
        p = self.actor(obs, legal)
        value = self.critic(obs).squeeze(1)
        adv = (ret - value).detach()
        pg = -(p.gather(1, action[:, None]).squeeze(1).log() * adv).mean()
        return pg + 0.5 * F.mse_loss(value, ret) - 0.01 * self.actor.entropy(p)

    def configure_optimizers(self):
        return torch.optim.Adam(
            [{"params": self.actor.parameters()}, {"params": self.critic.parameters(), "lr": 1e-2}],
        )


def dataloader():
    g = torch.Generator().manual_seed(442)
    obs = torch.randn(12, 4, generator=g)
    action = torch.randint(0, 3, (12,), generator=g)
    return DataLoader(TensorDataset(obs, action, torch.randn(12, generator=g)), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "nonfinite",
    "cause": "torch.log",
    "cause_alt": ["mul"],
    "line_marker": "# <-- CAUSE",
    "params": ["actor.*"],
    "metric_like": None,
    "loss_finite": False,
    "source": "own",
    "notes": "The critic's gradients stay finite although the loss is NaN.",
}
