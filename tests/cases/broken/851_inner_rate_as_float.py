# SPDX-License-Identifier: Apache-2.0
"""Meta-SGD: the learnable inner learning rate is used as a number."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(0.1 * torch.randn(3, 1))
        self.b = nn.Parameter(torch.zeros(1))
        self.inner_lr = nn.Parameter(torch.tensor(0.1))

    def adapt(self, x, y):
        loss = F.mse_loss(x @ self.w + self.b, y)
        gw, gb = torch.autograd.grad(loss, (self.w, self.b), create_graph=True)
        lr = float(self.inner_lr)  # <-- CAUSE
        return self.w - lr * gw, self.b - lr * gb

    def training_step(self, batch, batch_idx):
        losses = []
        for xs, ys, xq, yq in zip(*batch):
            w, b = self.adapt(xs, ys)
            losses.append(F.mse_loss(xq @ w + b, yq))
        return torch.stack(losses).mean()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(851)
    return DataLoader(TensorDataset(torch.randn(12, 5, 3, generator=g), torch.randn(12, 5, 1, generator=g), torch.randn(12, 5, 3, generator=g), torch.randn(12, 5, 1, generator=g)), batch_size=4)


EXPECT = {'verdict': 'broken', 'cause': 'float', 'line_marker': '# <-- CAUSE', 'params': ['inner_lr'], 'metric_like': None, 'source': 'held', 'notes': '', 'symptom': 'missing'}
