# SPDX-License-Identifier: Apache-2.0
"""A checkpointed block with dropout; its normalised weight is made anew in every forward, outside the block."""
import torch.utils.checkpoint
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.inp, self.out = nn.Linear(6, 6), nn.Linear(6, 4)
        self.weight = nn.Parameter(torch.randn(6, 6))

    def block(self, x, w):
        return F.dropout(torch.tanh(x @ w), 0.2, self.training)

    def training_step(self, batch, batch_idx):
        x, y = batch
        w = F.normalize(self.weight, dim=1)
        h = self.inp(x)
        for _ in range(2):
            h = torch.utils.checkpoint.checkpoint(self.block, h, w, use_reentrant=False)
        return F.cross_entropy(self.out(h), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2122)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': 'A checkpointed block with dropout; its normalised weight is made anew in every forward, outside the block.', 'all_grads_by_step': 1, 'source': 'own'}
