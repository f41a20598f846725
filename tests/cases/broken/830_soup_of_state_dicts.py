# SPDX-License-Identifier: Apache-2.0
"""Learned model soup: member weights are mixed from state_dict(), which detaches them; only the coefficients train."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Model(pl.LightningModule):
    def __init__(self, n=3):
        super().__init__()
        self.members = nn.ModuleList(nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2)) for _ in range(n))
        self.coef = nn.Parameter(torch.zeros(n))

    def soup(self):
        w = self.coef.softmax(0)
        states = [m.state_dict() for m in self.members]  # <-- CAUSE
        return {k: sum(wi * s[k] for wi, s in zip(w, states)) for k in states[0]}

    def training_step(self, batch, batch_idx):
        x, y = batch
        out = torch.func.functional_call(self.members[0], self.soup(), (x,))
        return F.cross_entropy(out, y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(830)
    return DataLoader(TensorDataset(torch.randn(24, 4, generator=g), torch.randint(0, 2, (24,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'cause': 'state_dict', 'line_marker': '# <-- CAUSE', 'params': ['members.*'], 'metric_like': None, 'source': 'held', 'notes': '', 'symptom': 'missing'}
