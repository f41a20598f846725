# SPDX-License-Identifier: Apache-2.0
"""Anomaly detection on a training that is fine."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


TRAINER = {"detect_anomaly": True}


class Model(pl.LightningModule):
    def __init__(self, act="tanh"):
        super().__init__()
        self.a, self.b = nn.Linear(6, 8), nn.Linear(8, 1)
        self.act = getattr(torch, act)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.mse_loss(self.b(self.act(self.a(x))), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1365)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'Anomaly detection on a training that is fine.',
    'all_grads_by_step': 1,
    'source': 'own',
}
