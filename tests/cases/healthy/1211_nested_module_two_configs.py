# SPDX-License-Identifier: Apache-2.0
"""The outer module extends the parameter groups of the inner one."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Inner(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 8)

    def forward(self, x):
        return self.fc(x).relu()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.inner = Inner()
        self.head = nn.Linear(8, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.mse_loss(self.head(self.inner(x)), y)

    def configure_optimizers(self):
        opt = self.inner.configure_optimizers()
        opt.add_param_group({"params": list(self.head.parameters()), "lr": 1e-2})
        return opt


def dataloader():
    g = torch.Generator().manual_seed(1211)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'The outer module extends the parameter groups of the inner one.',
    'all_grads_by_step': 1,
    'source': 'own',
}
