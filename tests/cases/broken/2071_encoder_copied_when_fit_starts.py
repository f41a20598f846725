# SPDX-License-Identifier: Apache-2.0
"""on_fit_start replaces the encoder by a copy; the optimizer was made before."""
import copy
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(6, 8), nn.ReLU())
        self.head = nn.Linear(8, 4)
        self.pristine = None

    def on_fit_start(self):
        original = self.encoder
        self.encoder = copy.deepcopy(original)  # <-- CAUSE
        self.pristine = [p.detach() for p in original.parameters()]

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.head(self.encoder(x)), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2071)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'symptom': 'not_optimized', 'cause': 'replaced', 'line_marker': '# <-- CAUSE', 'params': ['encoder.*'], 'metric_like': None, 'source': 'own', 'notes': 'on_fit_start replaces the encoder by a copy; the optimizer was made before.', 'replaced': True}
