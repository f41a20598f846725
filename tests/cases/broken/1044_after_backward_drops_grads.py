# SPDX-License-Identifier: Apache-2.0
"""on_after_backward removes the gradients of every parameter that does not start with 'head'."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(6, 8), nn.ReLU())
        self.head = nn.Linear(8, 4)

    def on_after_backward(self):
        for name, p in self.named_parameters():
            if not name.startswith("head"):
                p.grad = None  # <-- CAUSE

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.head(self.body(x)), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1044)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'missing',
    'cause': 'grad = None',
    'line_marker': '# <-- CAUSE',
    'params': ['body.*'],
    'metric_like': None,
    'source': 'own',
    'notes': "on_after_backward removes the gradients of every parameter that does not start with 'head'.",
}
