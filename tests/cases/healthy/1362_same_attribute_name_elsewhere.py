# SPDX-License-Identifier: Apache-2.0
"""A flood level from the configuration; a tracker keeps its own .level from an item."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Tracker:
    level = 0.0

    def see(self, value):
        self.level = max(self.level, value.item())


class Model(pl.LightningModule):
    def __init__(self, level=0.05):
        super().__init__()
        self.net = nn.Linear(6, 1)
        self.level = level
        self.tracker = Tracker()

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = F.mse_loss(self.net(x), y)
        self.tracker.see(loss)
        return (loss - self.level).abs() + self.level

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1362)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'A flood level from the configuration; a tracker keeps its own .level from an item.',
    'all_grads_by_step': 1,
    'source': 'own',
}
