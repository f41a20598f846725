# SPDX-License-Identifier: Apache-2.0
"""The limits of a learned temperature are swapped: clamp returns the maximum for every input."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(6, 4)
        self.temp = nn.Parameter(torch.tensor(1.0))

    def training_step(self, batch, batch_idx):
        x, y = batch
        logits = self.net(x) / self.temp.clamp(min=10.0, max=0.1)  # <-- CAUSE
        return F.cross_entropy(logits, y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1079)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'zero',
    'cause': 'Tensor.clamp',
    'line_marker': '# <-- CAUSE',
    'params': ['temp'],
    'metric_like': None,
    'source': 'own',
    'notes': 'The limits of a learned temperature are swapped: clamp returns the maximum for every input.',
}
