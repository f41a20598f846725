# SPDX-License-Identifier: Apache-2.0
"""In a recursive encoder the base case returns a detached leaf."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(12, 6)
        self.join = nn.Linear(12, 6)
        self.out = nn.Linear(6, 4)

    def encode(self, tokens):
        if (n := tokens.size(1)) == 1:
            return self.emb(tokens[:, 0]).detach()  # <-- CAUSE
        left, right = self.encode(tokens[:, : n // 2]), self.encode(tokens[:, n // 2 :])
        return torch.tanh(self.join(torch.cat((left, right), -1)))

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.out(self.encode(x)), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1157)
    return DataLoader(TensorDataset(torch.randint(0, 12, (24, 7), generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'missing',
    'cause': 'Tensor.detach',
    'line_marker': '# <-- CAUSE',
    'params': ['emb.*'],
    'metric_like': None,
    'source': 'own',
    'notes': 'In a recursive encoder the base case returns a detached leaf.',
}
