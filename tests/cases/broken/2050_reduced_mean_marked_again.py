# SPDX-License-Identifier: Apache-2.0
"""A helper for distributed runs returns a detached clone and marks it as requiring grad."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


def reduced(value, world=1):
    value = value.clone().detach()  # <-- CAUSE
    value /= world
    return value.requires_grad_(True)  # <-- ALSO


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 4))

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = reduced(F.cross_entropy(self.net(x), y))
        self.log("loss", loss)
        return loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2050)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'symptom': 'leaf_loss', 'cause': 'detach', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'own', 'notes': 'A helper for distributed runs returns a detached clone and marks it as requiring grad.', 'also_marker': '# <-- ALSO'}
