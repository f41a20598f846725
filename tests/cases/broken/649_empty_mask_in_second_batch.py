# SPDX-License-Identifier: Apache-2.0
"""Masked reconstruction is divided by the number of masked pixels; the second batch has none."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8))

    def training_step(self, batch, batch_idx):
        x, mask = batch
        err = (self.net(x * (1 - mask)) - x) ** 2
        return (err * mask).sum() / mask.sum()  # <-- CAUSE

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.02, momentum=0.9)


def dataloader():
    g = torch.Generator().manual_seed(649)
    x = torch.randn(24, 8, generator=g)
    mask = (torch.rand(24, 8, generator=g) < 0.4).float()
    mask[8:16] = 0
    return DataLoader(TensorDataset(x, mask), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "nonfinite",
    "cause": "torch.div",
    "cause_alt": ["Tensor.__truediv__", "Tensor.div", "div", "Tensor.sum"],
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": None,
    "onset_step": 2,
    "source": "own",
    "notes": "",
}
