# SPDX-License-Identifier: Apache-2.0
"""Belief state stored in a buffer through copy_ of data: the filter before it never trains."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Filter(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.gain = nn.Linear(2 * dim, dim)
        self.register_buffer("belief", torch.zeros(1, dim))

    def forward(self, obs):
        new = torch.tanh(self.gain(torch.cat([self.belief.expand_as(obs), obs], -1)))
        self.belief.data.copy_(new.mean(0, keepdim=True))  # <-- CAUSE
        return self.belief


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.filter = Filter(4)
        self.pred = nn.Linear(4, 4)

    def training_step(self, batch, batch_idx):
        (seq,) = batch
        loss = 0.0
        for t in range(seq.size(1) - 1):
            loss = loss + F.mse_loss(self.pred(self.filter(seq[:, t]).clone()).expand(len(seq), -1), seq[:, t + 1])
        return loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(859)
    return DataLoader(TensorDataset(torch.randn(12, 4, 4, generator=g)), batch_size=4)


EXPECT = {'verdict': 'broken', 'cause': 'Tensor.copy_', 'line_marker': '# <-- CAUSE', 'params': ['filter.*'], 'metric_like': None, 'source': 'held', 'notes': '', 'symptom': 'missing'}
