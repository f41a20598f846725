# SPDX-License-Identifier: Apache-2.0
"""A recursive encoder in which leaves and joins are live."""
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
            return self.emb(tokens[:, 0])
        left, right = self.encode(tokens[:, : n // 2]), self.encode(tokens[:, n // 2 :])
        return torch.tanh(self.join(torch.cat((left, right), -1)))

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.out(self.encode(x)), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1275)
    return DataLoader(TensorDataset(torch.randint(0, 12, (24, 7), generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'A recursive encoder in which leaves and joins are live.',
    'all_grads_by_step': 1,
    'source': 'own',
}
