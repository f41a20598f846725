# SPDX-License-Identifier: Apache-2.0
"""A network proposes a feature mask that is sampled from a Bernoulli distribution."""
from torch.distributions import Bernoulli, Independent
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.mask = nn.Linear(6, 6)
        self.net = nn.Linear(6, 4)

    def training_step(self, batch, batch_idx):
        x, y = batch
        dist = Independent(Bernoulli(logits=self.mask(x)), 1)
        keep = dist.sample()  # <-- CAUSE
        return F.cross_entropy(self.net(x * keep), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1052)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'missing',
    'cause': 'Distribution.sample',
    'line_marker': '# <-- CAUSE',
    'params': ['mask.*'],
    'metric_like': None,
    'source': 'own',
    'notes': 'A network proposes a feature mask that is sampled from a Bernoulli distribution.',
}
