# SPDX-License-Identifier: Apache-2.0
"""GCN normalisation with learned edge weights: deg ** -0.5 is infinite at isolated nodes and replaced by zero."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class GCN(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.lin = nn.Linear(i, o)

    def forward(self, x, src, dst, w):
        deg = torch.zeros(len(x)).scatter_add(0, dst, w)
        norm = deg.pow(-0.5)
        norm = norm.masked_fill(norm == float("inf"), 0.0)
        msg = (norm[src] * w * norm[dst])[:, None] * self.lin(x)[src]
        return torch.zeros(len(x), msg.size(1)).index_add(0, dst, msg)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.edge = nn.Linear(8, 1)
        self.conv, self.out = GCN(4, 8), nn.Linear(8, 3)
        self.register_buffer("src", torch.tensor([0, 1, 2, 3, 1, 4]))
        self.register_buffer("dst", torch.tensor([1, 0, 3, 2, 4, 1]))

    def training_step(self, batch, batch_idx):
        x, y = batch
        w = self.edge(torch.cat([x[self.src], x[self.dst]], 1)).sigmoid().squeeze(1)
        h = self.conv(x, self.src, self.dst, w).relu()
        return F.cross_entropy(self.out(h)[:5], y[:5])

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(924)
    return DataLoader(TensorDataset(torch.randn(21, 4, generator=g), torch.randint(0, 3, (21,), generator=g)), batch_size=7)


EXPECT = {'verdict': 'healthy', 'why': 'GCN normalisation with learned edge weights: deg ** -0.5 is infinite at isolated nodes and replaced by zero.', 'all_grads_by_step': 1, 'source': 'held'}
