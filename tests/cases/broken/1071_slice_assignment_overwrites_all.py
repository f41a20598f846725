# SPDX-License-Identifier: Apache-2.0
"""A chain of in-place edits overwrites every column of the features."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc = nn.Linear(6, 8)
        self.prior = nn.Linear(6, 8)
        self.out = nn.Linear(8, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = self.enc(x)
        h[:, :] = self.prior(x)  # <-- CAUSE
        h += 0.1
        return F.mse_loss(self.out(h), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1071)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'zero',
    'cause': 'Tensor.__setitem__',
    'line_marker': '# <-- CAUSE',
    'params': ['enc.*'],
    'metric_like': None,
    'source': 'own',
    'notes': 'A chain of in-place edits overwrites every column of the features.',
    'sometimes_none': True,
}
