# SPDX-License-Identifier: Apache-2.0
"""Slices of a buffer-like result are taken under no_grad and written with grad mode on."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc, self.cls = nn.Linear(6, 8), nn.Linear(8, 4)

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = self.enc(x)
        with torch.no_grad():
            first = h[:, :4]  # <-- ALSO
        first *= 2.0  # <-- CAUSE
        return F.cross_entropy(self.cls(h.tanh()), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2204)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'symptom': 'backward_error', 'cause': 'inplace', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'own', 'notes': 'Slices of a buffer-like result are taken under no_grad and written with grad mode on.', 'also_marker': '# <-- ALSO', 'error': 'no_grad'}
