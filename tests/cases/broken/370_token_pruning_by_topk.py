# SPDX-License-Identifier: Apache-2.0
"""Tokens are pruned by a learned importance; only the positions of the best are used."""

import pytorch_lightning as pl
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset


class Pruner(nn.Module):
    def __init__(self, dim, keep):
        super().__init__()
        self.keep = keep
        self.importance = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, 1))

    def forward(self, x):
        score = self.importance(x).squeeze(-1)
        _, index = torch.topk(score, self.keep, dim=1)  # <-- CAUSE
        return torch.gather(x, 1, index[..., None].expand(-1, -1, x.size(-1)))


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(3, 6)
        self.prune = Pruner(6, 2)
        self.cls = nn.Linear(6, 4)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.cls(self.prune(self.embed(x)).mean(1)), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(370)
    x = torch.randn(12, 5, 3, generator=g)
    y = torch.randint(0, 4, (12,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "torch.topk",
    "cause_alt": ["Tensor.topk"],
    "line_marker": "# <-- CAUSE",
    "params": ["prune.importance.*"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
