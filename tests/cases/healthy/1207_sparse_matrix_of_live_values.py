# SPDX-License-Identifier: Apache-2.0
"""A sparse matrix built from live edge weights."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.edge = nn.Parameter(torch.rand(6))
        self.out = nn.Linear(6, 1)
        self.register_buffer("index", torch.stack([torch.arange(6), torch.arange(6).roll(1)]))

    def training_step(self, batch, batch_idx):
        x, y = batch
        m = torch.sparse_coo_tensor(self.index, self.edge, (6, 6))
        return F.mse_loss(self.out(torch.sparse.mm(m, x.T).T), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1207)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'A sparse matrix built from live edge weights.',
    'all_grads_by_step': 1,
    'source': 'own',
}
