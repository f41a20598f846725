# SPDX-License-Identifier: Apache-2.0
"""A tensor subclass runs through the network."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Points(torch.Tensor):
    def centred(self):
        return self - self.mean(1, keepdim=True)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc, self.out = nn.Linear(6, 8), nn.Linear(8, 4)

    def training_step(self, batch, batch_idx):
        x, y = batch
        p = x.as_subclass(Points).centred()
        h = self.enc(p).relu().amax(1)
        return F.cross_entropy(self.out(h).as_subclass(torch.Tensor), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1252)
    return DataLoader(TensorDataset(torch.randn(24, 5, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'A tensor subclass runs through the network.',
    'all_grads_by_step': 1,
    'source': 'own',
}
