# SPDX-License-Identifier: Apache-2.0
"""Principal neighbourhood aggregation: sqrt(relu(variance)) at a node with a single neighbour is hidden by the ReLU."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

def mean_at(x, idx, n):
    out = torch.zeros(n, x.size(1)).index_add_(0, idx, x)
    return out / torch.zeros(n).index_add_(0, idx, torch.ones(len(idx))).clamp(min=1)[:, None]


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.inp, self.msg, self.upd, self.out = nn.Linear(4, 8), nn.Linear(8, 8), nn.Linear(24, 8), nn.Linear(8, 3)
        self.register_buffer("edge", torch.tensor([[0, 1, 2, 3, 0, 4], [1, 0, 0, 0, 5, 5]]))

    def training_step(self, batch, batch_idx):
        x, y = batch
        src, dst = self.edge
        h = self.inp(x)
        m = self.msg(h)[src]
        mean = mean_at(m, dst, len(h))
        std = (mean_at(m * m, dst, len(h)) - mean * mean).relu().sqrt()
        return F.cross_entropy(self.out(self.upd(torch.cat([h, mean, std], 1)).relu()), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(965)
    return DataLoader(TensorDataset(torch.randn(18, 4, generator=g), torch.randint(0, 3, (18,), generator=g)), batch_size=6)


EXPECT = {'verdict': 'healthy', 'why': 'Principal neighbourhood aggregation: sqrt(relu(variance)) at a node with a single neighbour is hidden by the ReLU.', 'all_grads_by_step': 1, 'source': 'held'}
