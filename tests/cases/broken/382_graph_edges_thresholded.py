# SPDX-License-Identifier: Apache-2.0
"""Learned graph structure: the adjacency is a boolean comparison of edge scores."""

import pytorch_lightning as pl
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset


class EdgeScorer(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.left, self.right = nn.Linear(d, d), nn.Linear(d, d)

    def forward(self, x):
        return torch.sigmoid(self.left(x) @ self.right(x).T)


class GraphConv(nn.Module):
    def __init__(self, d, o):
        super().__init__()
        self.lin = nn.Linear(d, o)

    def forward(self, x, adj):
        deg = adj.sum(1, keepdim=True).clamp(min=1)
        return self.lin(adj @ x / deg)


class Model(pl.LightningModule):
    def __init__(self, tau=0.4):
        super().__init__()
        self.tau = tau
        self.edges = EdgeScorer(4)
        self.conv = nn.ModuleList([GraphConv(4, 6), GraphConv(6, 2)])

    def training_step(self, batch, batch_idx):
        x, y = batch
        adj = (self.edges(x) > self.tau).type_as(x) + torch.eye(len(x))  # <-- CAUSE
        for i, conv in enumerate(self.conv):
            x = conv(x if i == 0 else F.relu(x), adj)
        return F.cross_entropy(x, y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(382)
    x = torch.randn(16, 4, generator=g)
    y = torch.randint(0, 2, (16,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "torch.gt",
    "cause_alt": ["Tensor.gt", "Tensor.__gt__"],
    "line_marker": "# <-- CAUSE",
    "params": ["edges.*"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
