# SPDX-License-Identifier: Apache-2.0
"""Ray samples are cast to voxel indices, so the learned camera pose has no influence."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Pose(nn.Module):
    def __init__(self):
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(3))
        self.log_scale = nn.Parameter(torch.zeros(1))

    def forward(self, p):
        return p * self.log_scale.exp() + self.shift


class VoxelField(nn.Module):
    def __init__(self, n=6):
        super().__init__()
        self.n = n
        self.sigma = nn.Parameter(torch.randn(n, n, n))

    def forward(self, p):
        i, j, k = ((p + 1) / 2 * self.n).long().clamp(0, self.n - 1).unbind(-1)  # <-- CAUSE
        return F.softplus(self.sigma[i, j, k])


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.pose, self.field = Pose(), VoxelField()

    def training_step(self, batch, batch_idx):
        origin, depth = batch[0].tanh(), batch[1]
        t = torch.linspace(0, 1, 8).view(1, 8, 1)
        points = self.pose(origin[:, None] * (1 - t))
        sigma = self.field(points)
        alpha = 1 - torch.exp(-sigma / 8)
        trans = torch.cumprod(1 - alpha + 1e-6, 1)
        return F.mse_loss((alpha * trans * t[..., 0]).sum(1), depth)

    def configure_optimizers(self):
        return torch.optim.RMSprop(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(638)
    x = torch.randn(24, 3, generator=g)
    return DataLoader(TensorDataset(x, torch.randn(24, generator=g)), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "Tensor.long",
    "line_marker": "# <-- CAUSE",
    "params": ["pose.*"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
