# SPDX-License-Identifier: Apache-2.0
"""A hidden state buffer is zeroed in place for the next sequence while the graph still needs it."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.cell = nn.Linear(12, 6)
        self.out = nn.Linear(6, 4)

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = x.new_zeros(len(x), 6)
        for t in range(x.size(1)):
            h = self.cell(torch.cat([x[:, t], h], 1)).tanh()  # <-- ALSO
        loss = F.cross_entropy(self.out(h), y)
        h.zero_()  # <-- CAUSE
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1135)
    return DataLoader(TensorDataset(torch.randn(24, 5, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'backward_error',
    'cause': 'Tensor.zero_',
    'line_marker': '# <-- CAUSE',
    'also_marker': '# <-- ALSO',
    'params': 'all',
    'metric_like': None,
    'source': 'own',
    'notes': 'A hidden state buffer is zeroed in place for the next sequence while the graph still needs it.',
    'error': 'modified by an inplace operation',
}
