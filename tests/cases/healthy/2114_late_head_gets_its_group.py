# SPDX-License-Identifier: Apache-2.0
"""A head made when the fit starts is handed to the optimizer by add_param_group."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Linear(6, 8), nn.Linear(8, 2)

    def on_fit_start(self):
        self.head = nn.Linear(8, 4)
        optimizer = self.optimizers(use_pl_optimizer=False)
        optimizer.add_param_group({"params": self.head.parameters(), "lr": 0.1})

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.head(self.body(x).relu()), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.body.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(2114)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': 'A head made when the fit starts is handed to the optimizer by add_param_group.', 'all_grads_by_step': 1, 'source': 'own'}
