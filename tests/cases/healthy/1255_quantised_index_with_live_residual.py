# SPDX-License-Identifier: Apache-2.0
"""floor and long choose the cell, the remainder stays live (hash-grid style)."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.warp = nn.Linear(6, 6)
        self.table = nn.Embedding(8, 4)
        self.out = nn.Linear(24, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        u = 6.99 * self.warp(x).sigmoid()
        i = u.floor().long()
        f = (u - i)[..., None]
        h = (1 - f) * self.table(i) + f * self.table(i + 1)
        return F.mse_loss(self.out(h.flatten(1)), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1255)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'floor and long choose the cell, the remainder stays live (hash-grid style).',
    'all_grads_by_step': 1,
    'source': 'own',
}
