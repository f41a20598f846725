# SPDX-License-Identifier: Apache-2.0
"""Meta learning: the adapted copy is a deepcopy with its own SGD, the query loss reaches only the copy."""
import copy

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 1))

    def adapt(self, x, y, steps=2):
        learner = copy.deepcopy(self.net)  # <-- CAUSE
        inner = torch.optim.SGD(learner.parameters(), lr=0.05)
        for _ in range(steps):
            loss = F.mse_loss(learner(x), y)
            inner.zero_grad()
            loss.backward()
            inner.step()
        return learner

    def training_step(self, batch, batch_idx):
        xs, ys, xq, yq = batch
        losses = []
        for a, b, c, d in zip(xs, ys, xq, yq):
            losses.append(F.mse_loss(self.adapt(a, b)(c), d))
        loss = torch.stack(losses).mean()
        self.log("meta", loss)
        return loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(823)
    return DataLoader(TensorDataset(torch.randn(6, 5, 2, generator=g), torch.randn(6, 5, 1, generator=g), torch.randn(6, 5, 2, generator=g), torch.randn(6, 5, 1, generator=g)), batch_size=2)


EXPECT = {'verdict': 'broken', 'cause': 'copy.deepcopy', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'held', 'notes': '', 'symptom': 'leaf_loss'}
