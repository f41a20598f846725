# SPDX-License-Identifier: Apache-2.0
"""Clones of one layer, each in use."""
import copy
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.inp = nn.Linear(6, 8)
        block = nn.Sequential(nn.LayerNorm(8), nn.Linear(8, 8), nn.SiLU())
        self.blocks = nn.ModuleList(copy.deepcopy(block) for _ in range(3))
        self.out = nn.Linear(8, 1)

    def training_step(self, batch, batch_idx):
        (x, y), i = batch, 0
        h = self.inp(x)
        while True:
            h = h + self.blocks[i](h)
            if (i := i + 1) == len(self.blocks):
                break
        return F.mse_loss(self.out(h), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1237)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'Clones of one layer, each in use.',
    'all_grads_by_step': 1,
    'source': 'own',
}
