# SPDX-License-Identifier: Apache-2.0
"""HMM forward algorithm writes every alpha into one table that matmul has saved: backward refuses."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Model(pl.LightningModule):
    def __init__(self, states=3, symbols=5):
        super().__init__()
        self.pi = nn.Parameter(torch.randn(states))
        self.trans = nn.Parameter(torch.randn(states, states))
        self.emit = nn.Parameter(torch.randn(states, symbols))

    def likelihood(self, obs):
        a, b = self.trans.softmax(1), self.emit.softmax(1)
        alpha = torch.zeros(len(obs), len(self.pi))
        alpha[0] = self.pi.softmax(0) * b[:, obs[0]]
        for t in range(1, len(obs)):
            alpha[t] = (alpha[t - 1] @ a) * b[:, obs[t]]  # <-- CAUSE
        return alpha[-1].sum()

    def training_step(self, batch, batch_idx):
        (obs,) = batch
        return -torch.stack([self.likelihood(o).log() for o in obs]).mean()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(819)
    return DataLoader(TensorDataset(torch.randint(0, 5, (12, 6), generator=g)), batch_size=4)


EXPECT = {'verdict': 'broken', 'cause': 'setitem', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'held', 'notes': '', 'symptom': 'backward_error', 'error': 'modified by an inplace operation'}
