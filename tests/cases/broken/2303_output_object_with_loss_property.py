# SPDX-License-Identifier: Apache-2.0
"""The model returns an object whose property adds a term that its constructor detached."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Output:
    def __init__(self, logits, codes):
        self.logits = logits
        self.entropy = (codes * codes.log()).sum(-1).mean().data  # <-- CAUSE

    def loss(self, y):
        return F.cross_entropy(self.logits, y) + 0.2 * self.entropy


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.codes, self.cls = nn.Linear(6, 5), nn.Linear(5, 4)

    def forward(self, x):
        codes = self.codes(x).softmax(-1)
        return Output(self.cls(codes), codes)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = Net()

    def training_step(self, batch, batch_idx):
        x, y = batch
        out = self.net(x)
        self.log("entropy", out.entropy)
        return out.loss(y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2303)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'symptom': 'dead_term', 'cause': 'Tensor.data', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'own', 'notes': 'The model returns an object whose property adds a term that its constructor detached.', 'term': 'entropy'}
