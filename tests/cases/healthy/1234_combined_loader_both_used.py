# SPDX-License-Identifier: Apache-2.0
"""Two loaders of different length, both losses live, one None at the end in max_size mode."""
from pytorch_lightning.utilities import CombinedLoader
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Linear(6, 8)
        self.task, self.domain = nn.Linear(8, 1), nn.Linear(8, 1)

    def training_step(self, batch, batch_idx):
        x_y, u = batch["labelled"], batch["plain"]
        loss = F.softplus(self.domain(self.trunk(u[0]).relu())).mean()
        if x_y is not None:
            x, y = x_y
            loss = loss + F.mse_loss(self.task(self.trunk(x).relu()), y)
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1234)
    a = TensorDataset(torch.randn(16, 6, generator=g), torch.randn(16, 1, generator=g))
    b = TensorDataset(torch.randn(48, 6, generator=g))
    return CombinedLoader({"labelled": DataLoader(a, batch_size=8), "plain": DataLoader(b, batch_size=8)}, "max_size")


EXPECT = {
    'verdict': 'healthy',
    'why': 'Two loaders of different length, both losses live, one None at the end in max_size mode.',
    'all_grads_by_step': 1,
    'source': 'own',
    'steps': 5,
}
