# SPDX-License-Identifier: Apache-2.0
"""Principal neighbourhood aggregation: sqrt(|E[x^2] - E[x]^2|) at a node with one neighbour is sqrt(0) and NaN in backward."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

def scatter_mean(x, idx, n):
    out = torch.zeros(n, x.size(1)).index_add_(0, idx, x)
    deg = torch.zeros(n).index_add_(0, idx, torch.ones(len(idx)))
    return out / deg.clamp(min=1)[:, None]


class PNALayer(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.msg = nn.Linear(dim, dim)
        self.upd = nn.Linear(3 * dim, dim)

    def forward(self, h, edge):
        src, dst = edge
        m = self.msg(h)[src]
        mean = scatter_mean(m, dst, len(h))
        var = (scatter_mean(m * m, dst, len(h)) - mean * mean).abs()
        std = torch.sqrt(var)  # <-- CAUSE
        return self.upd(torch.cat([h, mean, std], 1)).relu()


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.inp = nn.Linear(4, 8)
        self.conv = PNALayer(8)
        self.out = nn.Linear(8, 3)

    def training_step(self, batch, batch_idx):
        x, y = batch
        edge = torch.tensor([[0, 1, 2, 3, 0, 4], [1, 0, 0, 0, 5, 5]])
        return F.cross_entropy(self.out(self.conv(self.inp(x), edge)), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(817)
    return DataLoader(TensorDataset(torch.randn(18, 4, generator=g), torch.randint(0, 3, (18,), generator=g)), batch_size=6)


EXPECT = {'verdict': 'broken', 'cause': 'torch.sqrt', 'line_marker': '# <-- CAUSE', 'params': ['inp.*', 'conv.msg.*'], 'metric_like': None, 'source': 'held', 'notes': '', 'symptom': 'nonfinite', 'loss_finite': True}
