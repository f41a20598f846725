# SPDX-License-Identifier: Apache-2.0
"""The result of exp is overwritten through out= of a later call without history."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc, self.cls = nn.Linear(6, 5), nn.Linear(5, 4)

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = torch.exp(self.enc(x))
        scores = self.cls(h)
        with torch.no_grad():
            torch.clamp(h, max=3.0, out=h)  # <-- CAUSE
        return F.cross_entropy(scores, y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2209)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'symptom': 'backward_error', 'cause': 'inplace', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'own', 'notes': 'The result of exp is overwritten through out= of a later call without history.', 'error': 'modified by an inplace operation'}
