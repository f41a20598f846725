# SPDX-License-Identifier: Apache-2.0
"""Point cloud completion: nearest distances are asked from a scipy tree on numpy copies."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

from scipy.spatial import cKDTree


def chamfer(a, b):
    pa, pb = a.detach().cpu().numpy(), b.cpu().numpy()  # <-- CAUSE
    d_ab, _ = cKDTree(pb).query(pa)
    d_ba, _ = cKDTree(pa).query(pb)
    return torch.tensor(d_ab.mean() + d_ba.mean(), dtype=torch.float32)  # <-- ALSO


class PointNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 32))
        self.fold = nn.Linear(32, 3 * 12)

    def forward(self, p):
        return self.fold(self.mlp(p).amax(1)).view(len(p), 12, 3)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = PointNet()

    def training_step(self, batch, batch_idx):
        partial, full = batch
        out = self.net(partial)
        loss = torch.stack([chamfer(o, f) for o, f in zip(out, full)]).mean()
        self.log("cd", loss)
        return loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(835)
    return DataLoader(TensorDataset(torch.randn(12, 6, 3, generator=g), torch.randn(12, 12, 3, generator=g)), batch_size=4)


EXPECT = {'verdict': 'broken', 'cause': 'Tensor.detach', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'held', 'notes': '', 'also_marker': '# <-- ALSO', 'symptom': 'no_grad_loss'}
