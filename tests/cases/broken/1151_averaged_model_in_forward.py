# SPDX-License-Identifier: Apache-2.0
"""forward runs the averaged copy, so the network itself is never used."""
from torch.optim.swa_utils import AveragedModel
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 1))
        self.swa = AveragedModel(self.net)

    def forward(self, x):
        return self.swa(x)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.mse_loss(self(x), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1151)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'missing',
    'cause': 'unused',
    'line_marker': None,
    'params': ['net.*'],
    'metric_like': None,
    'source': 'own',
    'notes': 'forward runs the averaged copy, so the network itself is never used.',
}
