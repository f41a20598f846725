# SPDX-License-Identifier: Apache-2.0
"""The losses of all scales are averaged with the statistics module."""

import statistics

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(1, 1, 3, padding=1)

    def training_step(self, batch, batch_idx):
        (x,) = batch
        y = self.conv(x)
        losses = [F.mse_loss(F.avg_pool1d(y, k), F.avg_pool1d(x, k)) for k in (1, 2, 4)]
        return torch.tensor(statistics.fmean(losses))  # <-- CAUSE

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.02, momentum=0.9)


def dataloader():
    g = torch.Generator().manual_seed(609)
    x = torch.randn(24, 1, 8, generator=g)
    return DataLoader(TensorDataset(x), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "no_grad_loss",
    "cause": "float",
    "cause_alt": ["Tensor.__float__", "Tensor.item", "statistics.fmean"],
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": None,
    "source": "own",
    "notes": "",
}
