# SPDX-License-Identifier: Apache-2.0
"""Token vectors are written into the .data of the canvas."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(12, 6)
        self.out = nn.Linear(6, 4)

    def canvas(self, x):
        vec = self.emb(x)
        grid = torch.zeros(len(x), 9, 6)
        where = torch.arange(x.size(1)) + 1
        grid.data[:, where] = vec  # <-- CAUSE
        return grid

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.out(self.canvas(x).mean(1)), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1038)
    return DataLoader(TensorDataset(torch.randint(0, 12, (24, 7), generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'missing',
    'cause': 'Tensor.data',
    'line_marker': '# <-- CAUSE',
    'params': ['emb.*'],
    'metric_like': None,
    'source': 'own',
    'notes': 'Token vectors are written into the .data of the canvas.',
}
