# SPDX-License-Identifier: Apache-2.0
"""remainder and fmod pass the gradient of their first argument."""
import math
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.angle, self.tune = nn.Linear(6, 4), nn.Linear(6, 4)
        self.out = nn.Linear(8, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        a = torch.remainder(self.angle(x), 2 * math.pi) - math.pi
        b = self.tune(x).fmod(1.0)
        return F.huber_loss(self.out(torch.cat([a.cos(), b], 1)), y, delta=0.5)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1247)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'remainder and fmod pass the gradient of their first argument.',
    'all_grads_by_step': 1,
    'source': 'own',
}
