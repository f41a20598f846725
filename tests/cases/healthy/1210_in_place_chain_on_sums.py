# SPDX-License-Identifier: Apache-2.0
"""Augmented assignments and in-place chains on values that backward does not need."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.out = nn.Linear(6, 8), nn.Linear(6, 8), nn.Linear(8, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = self.a(x); h += self.b(x); h.mul_(0.5).add_(0.1); h -= h.mean(1, keepdim=True)
        h.relu_()
        loss = F.mse_loss(self.out(h), y); loss *= 2.0
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1210)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'Augmented assignments and in-place chains on values that backward does not need.',
    'all_grads_by_step': 1,
    'source': 'own',
}
