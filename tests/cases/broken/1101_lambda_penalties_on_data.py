# SPDX-License-Identifier: Apache-2.0
"""Penalties are a list of lambdas; the decay reads .data."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


PENALTIES = [
    lambda m: 0.01 * m.net.bias.square().sum(),
    lambda m: 0.01 * sum(p.data.square().sum() for p in m.parameters()),  # <-- CAUSE
]


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(6, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = F.mse_loss(self.net(x), y)
        for penalty in PENALTIES:
            term = penalty(self)
            loss = loss + term
        self.log("decay", term)
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1101)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'dead_term',
    'cause': 'Tensor.data',
    'line_marker': '# <-- CAUSE',
    'params': 'all',
    'metric_like': None,
    'source': 'own',
    'notes': 'Penalties are a list of lambdas; the decay reads .data.',
    'term': 'decay',
}
