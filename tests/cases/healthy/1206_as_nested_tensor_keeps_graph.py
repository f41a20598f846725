# SPDX-License-Identifier: Apache-2.0
"""as_nested_tensor keeps the history of its pieces."""
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
        ragged = torch.nested.as_nested_tensor(pieces)
        padded = torch.nested.to_padded_tensor(ragged, 0.0)
        return F.cross_entropy(self.out(padded.sum(1)), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1206)
    return DataLoader(TensorDataset(torch.randn(24, 5, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'as_nested_tensor keeps the history of its pieces.',
    'all_grads_by_step': 1,
    'source': 'own',
}
