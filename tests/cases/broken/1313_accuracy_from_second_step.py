# SPDX-License-Identifier: Apache-2.0
"""A schedule of losses switches to the error rate after the first step."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(6, 4)

    def criterion(self, s, y):
        match self.global_step:
            case 0:
                return F.cross_entropy(s, y)
            case _:
                return (s.argmax(1) != y).float().mean()  # <-- CAUSE

    def training_step(self, batch, batch_idx):
        x, y = batch
        return self.criterion(self.net(x), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1313)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'no_grad_loss',
    'cause': 'Tensor.argmax',
    'line_marker': '# <-- CAUSE',
    'params': 'all',
    'metric_like': 'MulticlassAccuracy',
    'source': 'own',
    'notes': 'A schedule of losses switches to the error rate after the first step.',
    'onset_step': 2,
}
