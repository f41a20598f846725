# SPDX-License-Identifier: Apache-2.0
"""Class weights by floor division are all zero."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self, classes=4):
        super().__init__()
        self.register_buffer("count", torch.tensor([30, 50, 10, 90]))
        self.net = nn.Sequential(nn.Linear(5, 8), nn.SiLU(), nn.Linear(8, classes))

    def class_weights(self):
        return self.count // self.count.sum()  # <-- CAUSE

    def training_step(self, batch, batch_idx):
        x, y = batch
        ce = F.cross_entropy(self.net(x), y, reduction="none")
        return (self.class_weights()[y] * ce).mean()  # <-- ALSO

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(645)
    x = torch.randn(24, 5, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "zero",
    "cause": "torch.mul",
    "cause_alt": ["Tensor.__mul__", "Tensor.__floordiv__", "torch.floor_divide", "mul"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": None,
    "source": "own",
    "notes": "",
}
