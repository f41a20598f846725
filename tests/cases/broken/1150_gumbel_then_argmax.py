# SPDX-License-Identifier: Apache-2.0
"""A hard Gumbel sample is turned into an index again."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.policy = nn.Linear(6, 5)
        self.code = nn.Embedding(5, 8)
        self.head = nn.Linear(14, 4)

    def choose(self, x):
        logits = self.policy(x)
        return (
            F.gumbel_softmax(logits, tau=0.7, hard=True)
            .argmax(dim=-1)  # <-- CAUSE
        )

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.head(torch.cat([x, self.code(self.choose(x))], -1)), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1150)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'missing',
    'cause': 'Tensor.argmax',
    'line_marker': '# <-- CAUSE',
    'params': ['policy.*'],
    'metric_like': None,
    'source': 'own',
    'notes': 'A hard Gumbel sample is turned into an index again.',
}
