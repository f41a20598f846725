# SPDX-License-Identifier: Apache-2.0
"""Half of a chunk is multiplied in place: the views of chunk cannot be written."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Glu(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.lin = nn.Linear(dim, 2 * dim)

    def forward(self, x):
        value, gate = self.lin(x).chunk(2, dim=-1)
        value *= torch.sigmoid(gate)  # <-- CAUSE
        return value


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(Glu(6), nn.Linear(6, 4))

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.net(x), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2032)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'symptom': 'backward_error', 'cause': 'inplace', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'own', 'notes': 'Half of a chunk is multiplied in place: the views of chunk cannot be written.', 'error': 'is a view and is being modified inplace'}
