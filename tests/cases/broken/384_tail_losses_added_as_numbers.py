# SPDX-License-Identifier: Apache-2.0
"""The first task loss is kept as a tensor, the others are added with .item()."""

from functools import reduce

import pytorch_lightning as pl
import torch
import torch.nn as nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(5, 6)
        self.heads = nn.ModuleDict({k: nn.Linear(6, 1) for k in ("x", "y", "z")})

    def training_step(self, batch, batch_idx):
        x, target = batch
        h = torch.relu(self.body(x))
        losses = [
            F.mse_loss(head(h).squeeze(-1), target[:, i])
            for i, head in enumerate(self.heads.values())
        ]
        return reduce(lambda acc, loss: acc + loss.item(), losses)  # <-- CAUSE

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(384)
    x = torch.randn(12, 5, generator=g)
    return DataLoader(TensorDataset(x, x[:, :3].sin()), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "Tensor.item",
    "line_marker": "# <-- CAUSE",
    "params": ["heads.y.*", "heads.z.*"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
