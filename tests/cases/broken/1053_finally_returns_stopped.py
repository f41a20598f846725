# SPDX-License-Identifier: Apache-2.0
"""A finally clause stores the features for a probe and rebinds the name that is returned."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc = nn.Linear(6, 8)
        self.head = nn.Linear(8, 1)
        self.probe = None

    def features(self, x):
        try:
            h = torch.relu(self.enc(x))
        except RuntimeError:
            h = x.new_zeros(len(x), 8)
        finally:
            self.probe = h = h.detach()  # <-- CAUSE
        return h

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.mse_loss(self.head(self.features(x)), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1053)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'missing',
    'cause': 'Tensor.detach',
    'line_marker': '# <-- CAUSE',
    'params': ['enc.*'],
    'metric_like': None,
    'source': 'own',
    'notes': 'A finally clause stores the features for a probe and rebinds the name that is returned.',
}
