# SPDX-License-Identifier: Apache-2.0
"""Multiple instance learning with noisy-or: log(1 - prod(1 - p)) when every instance probability underflows."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.inst = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
        nn.init.constant_(self.inst[-1].bias, -25.0)

    def bag_prob(self, bag):
        p = torch.sigmoid(self.inst(bag)).squeeze(-1)
        return 1 - torch.prod(1 - p, dim=1)

    def training_step(self, batch, batch_idx):
        bag, y = batch
        p = self.bag_prob(bag)
        ll = y * torch.log(p) + (1 - y) * torch.log(1 - p)  # <-- CAUSE
        return -ll.mean()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(845)
    return DataLoader(TensorDataset(torch.randn(12, 5, 4, generator=g), torch.ones(12)), batch_size=4)


EXPECT = {'verdict': 'broken', 'cause': 'torch.log', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'held', 'notes': '', 'symptom': 'nonfinite', 'loss_finite': False}
