# SPDX-License-Identifier: Apache-2.0
"""Softmax over dim 0 with a batch size of one: every probability is 1."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Policy(nn.Module):
    def __init__(self, obs, actions):
        super().__init__()
        self.l1 = nn.Linear(obs, 16)
        self.l2 = nn.Linear(16, actions)

    def forward(self, s):
        return torch.softmax(self.l2(F.relu(self.l1(s))), dim=0)  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.policy = Policy(4, 3)

    def training_step(self, batch, batch_idx):
        state, action, reward = batch
        chosen = self.policy(state).gather(1, action[:, None]).squeeze(1)
        return -(torch.log(chosen) * reward).mean()

    def configure_optimizers(self):
        return torch.optim.Adam(self.policy.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(407)
    state = torch.randn(5, 4, generator=g)
    action = torch.randint(0, 3, (5,), generator=g)
    return DataLoader(TensorDataset(state, action, torch.randn(5, generator=g)), batch_size=1)


EXPECT = {
    "verdict": "broken",
    "symptom": "zero",
    "cause": "torch.softmax",
    "cause_alt": ["softmax"],
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": None,
    "source": "own",
    "notes": "",
}
