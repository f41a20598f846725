# SPDX-License-Identifier: Apache-2.0
"""The encoder is wrapped by torch.no_grad()(...) when the module is built."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc = nn.Sequential(nn.Linear(6, 8), nn.ReLU())
        self.head = nn.Linear(8, 1)
        self.encode = torch.no_grad()(self.enc.forward)  # <-- CAUSE

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.mse_loss(self.head(self.encode(x)), y)  # <-- ALSO

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1155)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'missing',
    'cause': 'torch.no_grad',
    'line_marker': '# <-- CAUSE',
    'also_marker': '# <-- ALSO',
    'params': ['enc.*'],
    'metric_like': None,
    'source': 'own',
    'notes': 'The encoder is wrapped by torch.no_grad()(...) when the module is built.',
}
