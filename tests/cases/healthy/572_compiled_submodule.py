# SPDX-License-Identifier: Apache-2.0
"""The trunk is compiled with the eager backend, which repeats its parameters under another prefix."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.trunk = torch.compile(nn.Sequential(nn.Linear(6, 8), nn.ReLU()), backend="eager")
        self.head = nn.Linear(8, 3)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.head(self.trunk(x)), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(572)
    data = TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 3, (24,), generator=g))
    return DataLoader(data, batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "Compilation changes neither graph nor gradients.",
    "all_grads_by_step": 1,
    "source": "own",
}
