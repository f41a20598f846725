# SPDX-License-Identifier: Apache-2.0
"""The learned importance of each token is turned into a list before it weighs the bag."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.importance = nn.Embedding(12, 1)
        self.bag = nn.EmbeddingBag(12, 8, mode="sum")
        self.out = nn.Linear(8, 4)

    def weights(self, x):
        w = self.importance(x).squeeze(-1).softmax(-1)
        return torch.tensor(w.tolist())  # <-- CAUSE

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.out(self.bag(x, per_sample_weights=self.weights(x))), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1033)
    return DataLoader(TensorDataset(torch.randint(0, 12, (24, 7), generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'missing',
    'cause': 'Tensor.tolist',
    'line_marker': '# <-- CAUSE',
    'params': ['importance.*'],
    'metric_like': None,
    'source': 'own',
    'notes': 'The learned importance of each token is turned into a list before it weighs the bag.',
}
