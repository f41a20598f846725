# SPDX-License-Identifier: Apache-2.0
"""A walrus in the condition of a comprehension keeps the detached pooling."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.heads = nn.ModuleList([nn.Linear(6, 3) for _ in range(2)])
        self.out = nn.Linear(6, 4)

    def training_step(self, batch, batch_idx):
        x, y = batch
        pooled = [p for head in self.heads if (p := head(x).mean(1).detach()).numel()]  # <-- CAUSE
        return F.cross_entropy(self.out(torch.cat(pooled, -1)), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1314)
    return DataLoader(TensorDataset(torch.randn(24, 5, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'missing',
    'cause': 'Tensor.detach',
    'line_marker': '# <-- CAUSE',
    'params': ['heads.*'],
    'metric_like': None,
    'source': 'own',
    'notes': 'A walrus in the condition of a comprehension keeps the detached pooling.',
}
