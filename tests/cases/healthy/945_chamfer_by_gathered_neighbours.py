# SPDX-License-Identifier: Apache-2.0
"""Point cloud autoencoder: nearest neighbours chosen under no_grad, distances recomputed from the gathered points."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

def nearest(a, b):
    with torch.no_grad():
        return torch.cdist(a, b).argmin(-1)


def chamfer(a, b):
    ab = torch.gather(b, 1, nearest(a, b)[..., None].expand(-1, -1, 3))
    ba = torch.gather(a, 1, nearest(b, a)[..., None].expand(-1, -1, 3))
    return (a - ab).pow(2).sum(-1).mean() + (b - ba).pow(2).sum(-1).mean()


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.point = nn.Sequential(nn.Conv1d(3, 16, 1), nn.BatchNorm1d(16), nn.ReLU(), nn.Conv1d(16, 24, 1))
        self.dec = nn.Linear(24, 30)

    def training_step(self, batch, batch_idx):
        (p,) = batch
        code, arg = self.point(p.transpose(1, 2)).max(-1)
        self.log("critical_points", float(arg.unique().numel()))
        return chamfer(self.dec(code).view(len(p), 10, 3), p)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(945)
    return DataLoader(TensorDataset(torch.randn(12, 12, 3, generator=g)), batch_size=4)


EXPECT = {'verdict': 'healthy', 'why': 'Point cloud autoencoder: nearest neighbours chosen under no_grad, distances recomputed from the gathered points.', 'all_grads_by_step': 1, 'source': 'held'}
