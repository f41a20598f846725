# SPDX-License-Identifier: Apache-2.0
"""The rounding parametrization has a straight-through estimator written with where and detach."""
from torch.nn.utils import parametrize
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Grid(nn.Module):
    def __init__(self, step):
        super().__init__()
        self.step = step

    def forward(self, w):
        q = torch.round(w / self.step) * self.step
        return w - (w - q).detach()


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 8)
        parametrize.register_parametrization(self.fc, "weight", Grid(0.125))
        self.out = nn.Linear(8, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        with parametrize.cached():
            return F.mse_loss(self.out(torch.relu(self.fc(x))), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1224)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'The rounding parametrization has a straight-through estimator written with where and detach.',
    'all_grads_by_step': 1,
    'source': 'own',
}
