# SPDX-License-Identifier: Apache-2.0
"""Non-reentrant checkpointing of data that require no grad, and checkpoint_sequential after it."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint, checkpoint_sequential
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.first = nn.Sequential(nn.Linear(6, 10), nn.LayerNorm(10), nn.ReLU())
        self.rest = nn.Sequential(nn.Linear(10, 10), nn.ReLU(), nn.Linear(10, 10), nn.ReLU())
        self.head = nn.Linear(10, 3)

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = checkpoint(self.first, x, use_reentrant=False)
        h = checkpoint_sequential(self.rest, 2, h, use_reentrant=False)
        return F.cross_entropy(self.head(h), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(549)
    data = TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 3, (24,), generator=g))
    return DataLoader(data, batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "The modern form needs no input that requires grad.",
    "all_grads_by_step": 1,
    "source": "own",
}
