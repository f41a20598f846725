# SPDX-License-Identifier: Apache-2.0
"""The list of penalties is empty: the sum is the number 0.0."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self, penalties=()):
        super().__init__()
        self.penalties = list(penalties)
        self.net = nn.Linear(6, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        extra = sum((p(self.net) for p in self.penalties), 0.0)
        extra = torch.as_tensor(extra)
        self.log("penalty", extra)
        return F.mse_loss(self.net(x), y) + extra

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2109)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randn(48, 1, generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': 'The list of penalties is empty: the sum is the number 0.0.', 'all_grads_by_step': 1, 'source': 'own'}
