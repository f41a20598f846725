# SPDX-License-Identifier: Apache-2.0
"""QMIX: the monotonic mixer receives the greedy action indices instead of the chosen values."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Mixer(nn.Module):
    def __init__(self, agents, state):
        super().__init__()
        self.w = nn.Linear(state, agents)
        self.b = nn.Linear(state, 1)

    def forward(self, q, state):
        return (q * self.w(state).abs()).sum(-1, keepdim=True) + self.b(state)


class Model(pl.LightningModule):
    def __init__(self, agents=3):
        super().__init__()
        self.agent = nn.Sequential(nn.Linear(5, 12), nn.ReLU(), nn.Linear(12, 4))
        self.mixer = Mixer(agents, 6)

    def training_step(self, batch, batch_idx):
        obs, state, r = batch
        q = self.agent(obs)
        chosen = q.topk(1, dim=-1)[1].squeeze(-1).float()  # <-- CAUSE
        return F.mse_loss(self.mixer(chosen, state).squeeze(-1), r)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(858)
    return DataLoader(TensorDataset(torch.randn(24, 3, 5, generator=g), torch.randn(24, 6, generator=g), torch.randn(24, generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'cause': 'Tensor.topk', 'line_marker': '# <-- CAUSE', 'params': ['agent.*'], 'metric_like': None, 'source': 'held', 'notes': '', 'symptom': 'missing'}
