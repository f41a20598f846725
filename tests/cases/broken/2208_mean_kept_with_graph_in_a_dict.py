# SPDX-License-Identifier: Apache-2.0
"""A dict of running class means keeps its graph from one step to the next."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Memory:
    def __init__(self):
        self.means = {}

    def update(self, z, y):
        for k in y.unique().tolist():
            old = self.means.get(k, torch.zeros(z.size(1)))  # <-- ALSO
            self.means[k] = 0.5 * old + 0.5 * z[y == k].square().mean(0)  # <-- CAUSE
        return torch.stack(list(self.means.values()))


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc, self.cls = nn.Linear(6, 5), nn.Linear(5, 4)
        self.memory = Memory()

    def training_step(self, batch, batch_idx):
        x, y = batch
        z = self.enc(x)
        return F.cross_entropy(self.cls(z), y) + self.memory.update(z, y).mean()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2208)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'symptom': 'backward_error', 'cause': 'kept_graph', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'own', 'notes': 'A dict of running class means keeps its graph from one step to the next.', 'also_marker': '# <-- ALSO', 'error': 'second time', 'onset_step': 2}
