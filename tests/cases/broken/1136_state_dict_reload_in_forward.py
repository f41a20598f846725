# SPDX-License-Identifier: Apache-2.0
"""Each step builds a fresh copy from the state dict and runs the copy."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.student = nn.Linear(6, 8)
        self.out = nn.Linear(8, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        weights = self.student.state_dict()  # <-- CAUSE
        h = torch.func.functional_call(self.student, weights, (x,))  # <-- ALSO
        return F.mse_loss(self.out(h.relu()), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1136)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'missing',
    'cause': 'state_dict',
    'line_marker': '# <-- CAUSE',
    'also_marker': '# <-- ALSO',
    'params': ['student.*'],
    'metric_like': None,
    'source': 'own',
    'notes': 'Each step builds a fresh copy from the state dict and runs the copy.',
}
