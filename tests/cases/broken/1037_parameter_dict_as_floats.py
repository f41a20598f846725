# SPDX-License-Identifier: Apache-2.0
"""Learned gains in a ParameterDict are read into plain floats by a comprehension."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.gains = nn.ParameterDict({"low": torch.ones(()), "high": torch.ones(())})
        self.low, self.high = nn.Linear(3, 4), nn.Linear(3, 4)

    def training_step(self, batch, batch_idx):
        x, y = batch
        g = {
            name: float(gain)  # <-- CAUSE
            for name, gain in self.gains.items()
        }
        logits = (
            g["low"] * self.low(x[:, :3])
            + g["high"] * self.high(x[:, 3:])
        )
        return F.cross_entropy(logits, y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1037)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'missing',
    'cause': 'Tensor.__float__',
    'line_marker': '# <-- CAUSE',
    'params': ['gains.*'],
    'metric_like': None,
    'source': 'own',
    'notes': 'Learned gains in a ParameterDict are read into plain floats by a comprehension.',
}
