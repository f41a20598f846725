# SPDX-License-Identifier: Apache-2.0
"""An orthogonal parametrization that is registered after the optimizer was built keeps the parameter object."""
from torch.nn.utils.parametrizations import orthogonal
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.rot = nn.Linear(6, 6, bias=False)
        self.out = nn.Linear(6, 1)

    def on_fit_start(self):
        orthogonal(self.rot, orthogonal_map="cayley")

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.mse_loss(self.out(self.rot(x).relu()), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1217)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'An orthogonal parametrization that is registered after the optimizer was built keeps the parameter object.',
    'all_grads_by_step': 1,
    'source': 'own',
}
