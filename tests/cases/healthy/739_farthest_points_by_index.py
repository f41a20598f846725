# SPDX-License-Identifier: Apache-2.0
"""Farthest point sampling in numpy returns indices, the points are picked from the live tensor."""

import numpy as np
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def farthest(points, k):
    chosen, dist = [0], np.full(len(points), np.inf)
    for _ in range(k - 1):
        dist = np.minimum(dist, ((points - points[chosen[-1]]) ** 2).sum(1))
        chosen.append(int(dist.argmax()))
    return chosen


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.offset, self.mlp = nn.Linear(3, 3), nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2))

    def training_step(self, batch, batch_idx):
        x, y = batch
        moved = x + self.offset(x)
        index = torch.tensor([farthest(c, 4) for c in moved.detach().cpu().numpy()])
        keys = moved[torch.arange(len(x))[:, None], index]
        return F.cross_entropy(self.mlp(keys).amax(1), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.02, momentum=0.9)


def dataloader():
    g = torch.Generator().manual_seed(739)
    x = torch.randn(12, 10, 3, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 2, (12,), generator=g)), batch_size=4)


EXPECT = {
    "verdict": "healthy",
    "why": "Only indices leave torch.",
    "all_grads_by_step": 1,
    "source": "own",
}
