# SPDX-License-Identifier: Apache-2.0
"""The fusion mode is compared with a misspelt name, so the fusion layer never runs."""

import enum

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Fusion(enum.Enum):
    NONE = "none"
    CONCAT = "concat"


class Fuse(nn.Module):
    def __init__(self, dim, mode):
        super().__init__()
        self.mode = mode
        self.mix = nn.Linear(2 * dim, dim)

    def forward(self, a, b):
        match self.mode.value:
            case "concatenate":
                return self.mix(torch.cat([a, b], dim=-1))
            case _:
                return a + b


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.audio, self.video = nn.Linear(4, 6), nn.Linear(4, 6)
        self.fuse = Fuse(6, Fusion.CONCAT)
        self.head = nn.Linear(6, 2)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.head(self.fuse(self.audio(x), self.video(x.flip(1)))), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(379)
    x = torch.randn(12, 4, generator=g)
    y = torch.randint(0, 2, (12,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "unused",
    "line_marker": None,
    "params": ["fuse.mix.*"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
