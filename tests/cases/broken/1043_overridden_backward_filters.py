# SPDX-License-Identifier: Apache-2.0
"""An overridden backward keeps only the parameters whose name contains 'head'."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Linear(6, 8)
        self.head = nn.Linear(8, 4)

    def backward(self, loss, *args, **kwargs):
        wanted = [p for n, p in self.named_parameters() if "head" in n]
        loss.backward(*args, inputs=wanted, **kwargs)  # <-- CAUSE

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.head(self.trunk(x).tanh()), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1043)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'missing',
    'cause': 'backward(inputs=)',
    'line_marker': '# <-- CAUSE',
    'params': ['trunk.*'],
    'metric_like': None,
    'source': 'own',
    'notes': "An overridden backward keeps only the parameters whose name contains 'head'.",
}
