# SPDX-License-Identifier: Apache-2.0
"""A bank of negatives keeps the features of earlier steps with their graph."""
import collections
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 4))
        self.bank = collections.deque(maxlen=3)

    def training_step(self, batch, batch_idx):
        (x,) = batch
        a = F.normalize(self.enc(x), dim=1)
        b = F.normalize(self.enc(x + 0.1 * torch.randn_like(x)), dim=1)  # <-- ALSO
        others = torch.cat([b, *self.bank])  # <-- ALSO
        self.bank.append(b)  # <-- CAUSE
        return F.cross_entropy(a @ others.T / 0.2, torch.arange(len(x)))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2033)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'symptom': 'backward_error', 'cause': 'kept_graph', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'own', 'notes': 'A bank of negatives keeps the features of earlier steps with their graph.', 'also_marker': '# <-- ALSO', 'error': 'backward through the graph a second time', 'onset_step': 2}
