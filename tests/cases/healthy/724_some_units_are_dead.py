# SPDX-License-Identifier: Apache-2.0
"""A third of the hidden units never fires."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(4, 9), nn.Linear(9, 2)
        with torch.no_grad():
            self.one.bias[:3] = -100.0

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.two(torch.relu(self.one(x))), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.02, momentum=0.9)


def dataloader():
    g = torch.Generator().manual_seed(724)
    x = torch.randn(24, 4, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 2, (24,), generator=g)), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "The layer as a whole has a gradient.",
    "all_grads_by_step": 1,
    "source": "own",
}
