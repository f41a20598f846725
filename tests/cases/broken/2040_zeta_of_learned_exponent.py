# SPDX-License-Identifier: Apache-2.0
"""The normaliser of a power law is zeta of a learned exponent, which has no derivative there."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.exponent = nn.Linear(6, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        s = 1.5 + F.softplus(self.exponent(x)).squeeze(1)
        log_norm = torch.special.zeta(s, torch.ones_like(s)).log()  # <-- CAUSE
        return (s * torch.log1p(y.float()) + log_norm).mean()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2040)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'symptom': 'backward_error', 'cause': 'special.zeta', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'own', 'notes': 'The normaliser of a power law is zeta of a learned exponent, which has no derivative there.', 'error': 'is not implemented'}
