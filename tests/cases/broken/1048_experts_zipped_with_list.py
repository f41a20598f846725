# SPDX-License-Identifier: Apache-2.0
"""The gate values are listed and zipped with the experts."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.gate = nn.Linear(6, 3)
        self.experts = nn.ModuleList([nn.Linear(6, 4) for _ in range(3)])

    def forward(self, x):
        shares = self.gate(x).softmax(-1).mean(0)
        return sum(w * e(x) for w, e in zip(shares.tolist(), self.experts))  # <-- CAUSE

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self(x), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1048)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'missing',
    'cause': 'Tensor.tolist',
    'line_marker': '# <-- CAUSE',
    'params': ['gate.*'],
    'metric_like': None,
    'source': 'own',
    'notes': 'The gate values are listed and zipped with the experts.',
}
