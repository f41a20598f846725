# SPDX-License-Identifier: Apache-2.0
"""The average of several penalties is the mean of a stack whose middle entry is sign-counted."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.body, self.cls = nn.Linear(6, 8), nn.Linear(8, 4)

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = self.body(x)
        active = (h > 0).float().mean()  # <-- CAUSE
        self.log("active", active)
        return torch.stack([F.cross_entropy(self.cls(h.tanh()), y), active, h.square().mean()]).mean()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2304)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'symptom': 'dead_term', 'cause': 'gt', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'own', 'notes': 'The average of several penalties is the mean of a stack whose middle entry is sign-counted.', 'term': 'active'}
