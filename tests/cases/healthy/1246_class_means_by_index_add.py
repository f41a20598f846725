# SPDX-License-Identifier: Apache-2.0
"""Means per unique label by index_add; histc and one_hot are for the log."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc = nn.Linear(6, 3)

    def training_step(self, batch, batch_idx):
        x, y = batch
        z = self.enc(x)
        labels, back = torch.unique(y, return_inverse=True)
        mean = torch.zeros(len(labels), 3).index_add(0, back, z)
        mean = mean / F.one_hot(back).sum(0).unsqueeze(1)
        self.log("spread", torch.histc(z.detach(), 5).std())
        d = torch.cdist(z, mean)
        return F.cross_entropy(-d, back)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1246)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'Means per unique label by index_add; histc and one_hot are for the log.',
    'all_grads_by_step': 1,
    'source': 'own',
}
