# SPDX-License-Identifier: Apache-2.0
"""torch.where of two live branches with a hard condition on a detached value."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.cond, self.small, self.large = nn.Linear(6, 1), nn.Linear(6, 1), nn.Linear(6, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        c = self.cond(x)
        hard = torch.where(c > c.median(), self.small(x), self.large(x))
        soft = torch.lerp(self.small(x), self.large(x), c.sigmoid())
        return F.mse_loss(hard, y) + F.mse_loss(soft, y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1248)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'torch.where of two live branches with a hard condition on a detached value.',
    'all_grads_by_step': 1,
    'source': 'own',
}
