# SPDX-License-Identifier: Apache-2.0
"""A learned scale made in a factory function lives in the closure of the activation."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


def scaled_relu():
    scale = torch.ones(8, requires_grad=True)  # <-- CAUSE

    def act(x):
        return F.relu(x) * scale
    return act


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(6, 8), nn.Linear(8, 4)
        self.act = scaled_relu()  # <-- ALSO

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.b(self.act(self.a(x))), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2311)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'symptom': 'not_registered', 'cause': 'closure', 'line_marker': '# <-- CAUSE', 'params': ['*act*', '*scale*'], 'metric_like': None, 'source': 'own', 'notes': 'A learned scale made in a factory function lives in the closure of the activation.', 'also_marker': '# <-- ALSO'}
