# SPDX-License-Identifier: Apache-2.0
"""Layers built by configure_model, and their shapes by a dry run under no_grad."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))
        self.net = None

    def configure_model(self):
        if self.net is None:
            self.net = nn.Sequential(nn.LazyLinear(8), nn.LazyBatchNorm1d(), nn.ReLU(), nn.LazyLinear(1))
            with torch.no_grad():
                self.net(torch.zeros(4, 6))

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.mse_loss(self.scale * self.net(x), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1254)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'Layers built by configure_model, and their shapes by a dry run under no_grad.',
    'all_grads_by_step': 1,
    'source': 'own',
}
