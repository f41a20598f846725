# SPDX-License-Identifier: Apache-2.0
"""Multi-task uncertainty weighting: the criterion owns the log variances, the optimizer only gets the network."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class MultiTaskLoss(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.log_var = nn.Parameter(torch.zeros(n))

    def forward(self, losses):
        return sum(torch.exp(-s) * l + s for s, l in zip(self.log_var, losses))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(5, 12), nn.ReLU())
        self.depth = nn.Linear(12, 1)
        self.sem = nn.Linear(12, 3)

    def forward(self, x):
        h = self.body(x)
        return self.depth(h).squeeze(-1), self.sem(h)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = Net()
        self.criterion = MultiTaskLoss(2)

    def training_step(self, batch, batch_idx):
        x, d, c = batch
        depth, sem = self.net(x)
        return self.criterion([F.mse_loss(depth, d), F.cross_entropy(sem, c)])

    def configure_optimizers(self):
        opt = torch.optim.Adam(self.net.parameters(), lr=1e-3)  # <-- CAUSE
        return {"optimizer": opt, "lr_scheduler": torch.optim.lr_scheduler.StepLR(opt, 10)}


def dataloader():
    g = torch.Generator().manual_seed(826)
    return DataLoader(TensorDataset(torch.randn(24, 5, generator=g), torch.randn(24, generator=g), torch.randint(0, 3, (24,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'cause': 'configure_optimizers', 'line_marker': '# <-- CAUSE', 'params': ['criterion.log_var'], 'metric_like': None, 'source': 'held', 'notes': '', 'symptom': 'not_optimized'}
