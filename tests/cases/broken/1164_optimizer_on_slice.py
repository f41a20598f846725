# SPDX-License-Identifier: Apache-2.0
"""The optimizer gets a slice of the Sequential."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 1))

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.mse_loss(self.net(x), y)

    def configure_optimizers(self):
        opt = torch.optim.SGD(filter(lambda p: p.requires_grad, self.net[:-1].parameters()), lr=0.1)  # <-- CAUSE
        return dict(optimizer=opt)


def dataloader():
    g = torch.Generator().manual_seed(1164)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'not_optimized',
    'cause': 'optimizer_params',
    'line_marker': '# <-- CAUSE',
    'params': ['net.2.*'],
    'metric_like': None,
    'source': 'own',
    'notes': 'The optimizer gets a slice of the Sequential.',
}
