# SPDX-License-Identifier: Apache-2.0
"""Branches are computed in a thread pool and joined."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from concurrent.futures import ThreadPoolExecutor


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.branches = nn.ModuleList(nn.Sequential(nn.Linear(5, 4), nn.ReLU()) for _ in range(3))
        self.head = nn.Linear(12, 2)

    def training_step(self, batch, batch_idx):
        x, y = batch
        with ThreadPoolExecutor(2) as pool:
            parts = list(pool.map(lambda branch: branch(x), self.branches))
        return F.cross_entropy(self.head(torch.cat(parts, 1)), y)

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def dataloader():
    g = torch.Generator().manual_seed(702)
    x = torch.randn(24, 5, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 2, (24,), generator=g)), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "Autograd records in every thread, the results keep their graphs.",
    "all_grads_by_step": 1,
    "source": "own",
}
