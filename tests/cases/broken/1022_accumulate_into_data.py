# SPDX-License-Identifier: Apache-2.0
"""The total is a leaf that requires grad; the loop over time adds to its .data."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.cell = nn.GRUCell(6, 8)
        self.out = nn.Linear(8, 4)

    def training_step(self, batch, batch_idx):
        x, y = batch
        total = torch.zeros((), requires_grad=True)
        h, t = x.new_zeros(len(x), 8), 0
        while t < x.size(1):
            h = self.cell(x[:, t], h)
            total.data += F.cross_entropy(self.out(h), y).data  # <-- CAUSE
            t += 1
        return total / t

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1022)
    return DataLoader(TensorDataset(torch.randn(24, 5, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'leaf_loss',
    'cause': 'Tensor.data',
    'line_marker': '# <-- CAUSE',
    'params': 'all',
    'metric_like': None,
    'source': 'own',
    'notes': 'The total is a leaf that requires grad; the loop over time adds to its .data.',
}
