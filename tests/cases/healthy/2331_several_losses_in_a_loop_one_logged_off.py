# SPDX-License-Identifier: Apache-2.0
"""A loop logs every number and adds only those that have a weight."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(6, 4)
        self.weights = {"ce": 1.0, "ridge": 0.01}

    def training_step(self, batch, batch_idx):
        x, y = batch
        z = self.net(x)
        numbers = {"ce": F.cross_entropy(z, y), "ridge": self.net.weight.square().sum(),
                   "errors": (z.argmax(1) != y).float().mean()}
        loss = 0.0
        for name, value in numbers.items():
            self.log(name, value)
            if name in self.weights:
                loss = loss + self.weights[name] * value
        return loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2331)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': 'A loop logs every number and adds only those that have a weight.', 'all_grads_by_step': 1, 'source': 'own'}
