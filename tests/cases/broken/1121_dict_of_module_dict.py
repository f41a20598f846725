# SPDX-License-Identifier: Apache-2.0
"""dict() around a ModuleDict loses the registration."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Linear(6, 8)
        heads = nn.ModuleDict({"a": nn.Linear(8, 1), "b": nn.Linear(8, 1)})  # <-- ALSO
        self.heads = dict(heads.items())  # <-- CAUSE

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = self.trunk(x).relu()
        return sum(F.mse_loss(f(h), y) for f in self.heads.values())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1121)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'not_registered',
    'cause': 'dict',
    'line_marker': '# <-- CAUSE',
    'also_marker': '# <-- ALSO',
    'params': ['heads.*'],
    'metric_like': None,
    'source': 'own',
    'notes': 'dict() around a ModuleDict loses the registration.',
}
