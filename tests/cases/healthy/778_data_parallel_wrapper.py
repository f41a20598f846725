# SPDX-License-Identifier: Apache-2.0
"""The network sits in nn.DataParallel and a Sequential of wrappers."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Timed(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner, self.calls = inner, 0

    def __getattr__(self, name):
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("inner"), name)

    def forward(self, *a, **k):
        self.calls += 1
        return self.inner(*a, **k)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = Timed(nn.DataParallel(nn.Sequential(nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 2))))

    def training_step(self, batch, batch_idx):
        return F.cross_entropy(self.net(batch[0]), batch[1])

    def configure_optimizers(self):
        return torch.optim.RMSprop(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(778)
    x = torch.randn(24, 5, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 2, (24,), generator=g)), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "The wrapper only adds a prefix to the names.",
    "all_grads_by_step": 1,
    "source": "own",
}
