# SPDX-License-Identifier: Apache-2.0
"""Every layer keeps its last activation without graph; the step walks the modules and adds them up."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Gate(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.lin = nn.Linear(dim, dim)
        self.last = None

    def forward(self, x):
        g = torch.sigmoid(self.lin(x))
        self.last = g.clone().detach_()  # <-- CAUSE
        return g * x


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 8), Gate(8), nn.Linear(8, 8), Gate(8), nn.Linear(8, 4))

    def activity(self):
        return sum(m.last.mean() for m in self.modules() if hasattr(m, "last"))

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = F.cross_entropy(self.net(x), y)
        activity = self.activity()
        self.log("activity", activity)
        return loss + 0.1 * activity

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2015)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'symptom': 'dead_term', 'cause': 'Tensor.detach_', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'own', 'notes': 'Every layer keeps its last activation without graph; the step walks the modules and adds them up.', 'term': 'activity'}
