# SPDX-License-Identifier: Apache-2.0
"""Expert balance is the variance that the statistics module computes from a list of numbers."""
import statistics
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self, experts=3):
        super().__init__()
        self.router = nn.Linear(6, experts)
        self.experts = nn.ModuleList(nn.Linear(6, 4) for _ in range(experts))

    def training_step(self, batch, batch_idx):
        x, y = batch
        share = self.router(x).softmax(-1)
        out = torch.stack([e(x) for e in self.experts], 1)
        usage = share.mean(0)
        balance = statistics.pvariance(usage.tolist())  # <-- CAUSE
        self.log("balance", torch.tensor(balance))
        task = F.cross_entropy((share[..., None] * out).sum(1), y)
        return task + balance * 10

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2009)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'symptom': 'dead_term', 'cause': 'Tensor.tolist', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'own', 'notes': 'Expert balance is the variance that the statistics module computes from a list of numbers.', 'term': 'balance'}
