# SPDX-License-Identifier: Apache-2.0
"""map(torch.Tensor.detach, ...) over the outputs of all towers."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.towers = nn.ModuleList([nn.Linear(2, 5) for _ in range(3)])
        self.head = nn.Linear(15, 4)

    def training_step(self, batch, batch_idx):
        x, y = batch
        outs = [t(part) for t, part in zip(self.towers, x.chunk(3, 1))]
        z = torch.cat([*map(torch.Tensor.detach, outs)], 1)  # <-- CAUSE
        return F.cross_entropy(self.head(z.relu()), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1307)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'missing',
    'cause': 'Tensor.detach',
    'line_marker': '# <-- CAUSE',
    'params': ['towers.*'],
    'metric_like': None,
    'source': 'own',
    'notes': 'map(torch.Tensor.detach, ...) over the outputs of all towers.',
}
