# SPDX-License-Identifier: Apache-2.0
"""The energy penalty is relu of minus a square: closed whatever the network says."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Energy(nn.Module):
    def __init__(self, sign=-1.0):
        super().__init__()
        self.sign = sign

    def forward(self, h):
        return F.relu(self.sign * h.pow(2).sum(1)).mean()  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Sequential(nn.Linear(6, 8), nn.Tanh()), nn.Linear(8, 4)
        self.energy = Energy()

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = self.body(x)
        energy = self.energy(h)
        self.log("energy", energy)
        return F.cross_entropy(self.head(h), y) + 0.01 * energy

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2007)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'symptom': 'dead_term', 'cause': 'torch.relu', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'own', 'notes': 'The energy penalty is relu of minus a square: closed whatever the network says.', 'term': 'energy'}
