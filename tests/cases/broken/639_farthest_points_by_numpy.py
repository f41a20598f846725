# SPDX-License-Identifier: Apache-2.0
"""Farthest point sampling in numpy returns the points themselves."""

import numpy as np
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def farthest(points, k):
    chosen = [points[0]]
    dist = np.full(len(points), np.inf)
    for _ in range(k - 1):
        dist = np.minimum(dist, ((points - chosen[-1]) ** 2).sum(1))
        chosen.append(points[dist.argmax()])
    return np.stack(chosen)


class Sample(nn.Module):
    def forward(self, cloud, k):
        clouds = cloud.detach().cpu().numpy()  # <-- CAUSE
        return torch.from_numpy(np.stack([farthest(c, k) for c in clouds]))  # <-- ALSO


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.offset = nn.Linear(3, 3)
        self.sample = Sample()
        self.mlp = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2))

    def training_step(self, batch, batch_idx):
        x, y = batch
        keys = self.sample(x + self.offset(x), 4)
        return F.cross_entropy(self.mlp(keys).amax(1), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.02, momentum=0.9)


def dataloader():
    g = torch.Generator().manual_seed(639)
    x = torch.randn(12, 10, 3, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 2, (12,), generator=g)), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "Tensor.detach",
    "cause_alt": ["Tensor.numpy", "torch.from_numpy"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": ["offset.*"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
