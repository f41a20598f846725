# SPDX-License-Identifier: Apache-2.0
"""nested_tensor copies its pieces without their history (as_nested_tensor keeps it)."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc = nn.Linear(6, 8)
        self.out = nn.Linear(8, 4)

    def training_step(self, batch, batch_idx):
        x, y = batch
        pieces = [self.enc(row[: 2 + i % 4]) for i, row in enumerate(x)]
        ragged = torch.nested.nested_tensor(pieces)  # <-- CAUSE
        padded = torch.nested.to_padded_tensor(ragged, 0.0)
        return F.cross_entropy(self.out(padded.sum(1)), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1040)
    return DataLoader(TensorDataset(torch.randn(24, 5, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'missing',
    'cause': 'torch.nested.nested_tensor',
    'line_marker': '# <-- CAUSE',
    'params': ['enc.*'],
    'metric_like': None,
    'source': 'own',
    'notes': 'nested_tensor copies its pieces without their history (as_nested_tensor keeps it).',
}
