# SPDX-License-Identifier: Apache-2.0
"""The prototypes are normalised in place after they were used and before backward."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc = nn.Linear(6, 5)
        self.proto = nn.Parameter(torch.randn(4, 5))

    def project(self):
        with torch.no_grad():
            self.proto.copy_(F.normalize(self.proto, dim=1))  # <-- CAUSE

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = F.cross_entropy(self.enc(x) @ self.proto.t(), y)
        self.project()
        return loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2030)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'symptom': 'backward_error', 'cause': 'copy_', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'own', 'notes': 'The prototypes are normalised in place after they were used and before backward.', 'error': 'modified by an inplace operation'}
