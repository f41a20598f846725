# SPDX-License-Identifier: Apache-2.0
"""Class prototypes are computed once in __init__ and stored as a detached buffer."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class PrototypeHead(nn.Module):
    def __init__(self, classes, dim):
        super().__init__()
        self.to_proto = nn.Linear(classes, dim)
        proto = self.to_proto(torch.eye(classes))
        self.register_buffer("proto", proto.detach())  # <-- CAUSE

    def forward(self, h):
        return -torch.cdist(h, self.proto)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(4, 5)
        self.head = PrototypeHead(3, 5)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.head(self.net(x)), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(383)
    x = torch.randn(12, 4, generator=g)
    y = torch.randint(0, 3, (12,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "Tensor.detach",
    "cause_alt": ["unused"],
    "line_marker": "# <-- CAUSE",
    "params": ["head.to_proto.*"],
    "metric_like": None,
    "source": "own",
    "notes": "Cut before training starts; within a step the layer is simply never called.",
}
