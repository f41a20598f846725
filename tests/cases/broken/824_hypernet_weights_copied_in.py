# SPDX-License-Identifier: Apache-2.0
"""Hypernetwork: generated weights are copied into the target layer, so the generator never trains."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class HyperNet(nn.Module):
    def __init__(self, cond, n_in, n_out):
        super().__init__()
        self.gen = nn.Sequential(nn.Linear(cond, 16), nn.ReLU(), nn.Linear(16, n_in * n_out))
        self.shape = (n_out, n_in)

    def forward(self, c):
        return self.gen(c).view(self.shape)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.hyper = HyperNet(3, 4, 2)
        self.layer = nn.Linear(4, 2)

    def training_step(self, batch, batch_idx):
        c, x, y = batch
        loss = 0.0
        for ci, xi, yi in zip(c, x, y):
            with torch.no_grad():  # <-- ALSO
                self.layer.weight.copy_(self.hyper(ci))  # <-- CAUSE
            loss = loss + F.mse_loss(F.linear(xi, self.layer.weight.clone(), self.layer.bias), yi)
        return loss / len(c)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(824)
    return DataLoader(TensorDataset(torch.randn(12, 3, generator=g), torch.randn(12, 5, 4, generator=g), torch.randn(12, 5, 2, generator=g)), batch_size=4)


EXPECT = {'verdict': 'broken', 'cause': 'Tensor.copy_', 'line_marker': '# <-- CAUSE', 'params': ['hyper.*'], 'metric_like': None, 'source': 'held', 'notes': '', 'also_marker': '# <-- ALSO', 'symptom': 'missing'}
