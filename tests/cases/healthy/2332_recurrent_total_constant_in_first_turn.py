# SPDX-License-Identifier: Apache-2.0
"""The penalty of the first turn of a loop is a constant, that of the others is not."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.cell, self.cls = nn.GRUCell(6, 5), nn.Linear(5, 4)

    def training_step(self, batch, batch_idx):
        x, y = batch
        h, total = x.new_zeros(len(x), 5), 0.0
        for t in range(x.size(1)):
            total = total + 0.1 * (h.square().mean() - 1.0).abs()
            h = self.cell(x[:, t], h)
        return F.cross_entropy(self.cls(h), y) + total

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2332)
    return DataLoader(TensorDataset(torch.randn(48, 5, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': 'The penalty of the first turn of a loop is a constant, that of the others is not.', 'all_grads_by_step': 1, 'source': 'own'}
