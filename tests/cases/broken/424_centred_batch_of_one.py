# SPDX-License-Identifier: Apache-2.0
"""Embeddings are centred over the batch, and the batch holds one sample: z - z."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Centre(nn.Module):
    def forward(self, z):
        return z - z.mean(dim=0, keepdim=True)  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.embed = nn.Sequential(nn.Linear(6, 10), nn.ReLU(), nn.Linear(10, 4), Centre())
        self.cls = nn.Linear(4, 3)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.cls(self.embed(x)), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def dataloader():
    g = torch.Generator().manual_seed(424)
    x = torch.randn(4, 6, generator=g)
    y = torch.randint(0, 3, (4,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=1)


EXPECT = {
    "verdict": "broken",
    "symptom": "zero",
    "cause": "sub",
    "cause_alt": ["Tensor.mean", "Tensor.sub", "torch.sub"],
    "line_marker": "# <-- CAUSE",
    "params": ["embed.*", "cls.weight"],
    "metric_like": None,
    "source": "own",
    "notes": "cls.weight is zero as well: its input is zero.",
}
