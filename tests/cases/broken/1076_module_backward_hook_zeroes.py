# SPDX-License-Identifier: Apache-2.0
"""A full backward hook meant for inspection returns zeros."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc = nn.Linear(6, 8)
        self.act = nn.Tanh()
        self.out = nn.Linear(8, 1)
        self.act.register_full_backward_hook(
            lambda mod, gin, gout: tuple(torch.zeros_like(g) for g in gin)  # <-- CAUSE
        )  # <-- ALSO

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = self.act(self.enc(x))  # <-- ALSO
        return F.mse_loss(self.out(h), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1076)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'zero',
    'cause': 'register_full_backward_hook',
    'line_marker': '# <-- CAUSE',
    'also_marker': '# <-- ALSO',
    'params': ['enc.*'],
    'metric_like': None,
    'source': 'own',
    'notes': 'A full backward hook meant for inspection returns zeros.',
}
