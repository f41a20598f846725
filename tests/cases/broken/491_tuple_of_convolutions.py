# SPDX-License-Identifier: Apache-2.0
"""A residual unit keeps its convolutions in a tuple."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class ResidualUnit(nn.Module):
    def __init__(self, ch, dilations=(1, 2)):
        super().__init__()
        self.convs = tuple(  # <-- CAUSE
            nn.Conv1d(ch, ch, 3, padding=d, dilation=d)  # <-- ALSO
            for d in dilations
        )
        self.act = nn.PReLU()

    def forward(self, x):
        y = x
        for conv in self.convs:
            y = self.act(conv(y))
        return x + y


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Conv1d(1, 4, 1), ResidualUnit(4), nn.Conv1d(4, 1, 1))

    def training_step(self, batch, batch_idx):
        (wave,) = batch
        return F.l1_loss(self.net(wave), wave)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(491)
    x = torch.randn(12, 1, 12, generator=g)
    return DataLoader(TensorDataset(x), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "not_registered",
    "cause": "python_tuple",
    "cause_alt": ["tuple"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": ["net.1.convs.*"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
