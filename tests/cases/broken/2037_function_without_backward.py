# SPDX-License-Identifier: Apache-2.0
"""A custom Function has a forward and no backward."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Floor(torch.autograd.Function):  # <-- ALSO
    @staticmethod
    def forward(ctx, x):
        return torch.floor(4 * x) / 4


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc, self.dec = nn.Linear(6, 3), nn.Linear(3, 6)

    def training_step(self, batch, batch_idx):
        (x,) = batch
        code = Floor.apply(torch.sigmoid(self.enc(x)))  # <-- CAUSE
        return F.mse_loss(self.dec(code), x)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2037)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'symptom': 'backward_error', 'cause': 'Function', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'own', 'notes': 'A custom Function has a forward and no backward.', 'also_marker': '# <-- ALSO', 'error': 'implement either the backward'}
