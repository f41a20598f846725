# SPDX-License-Identifier: Apache-2.0
"""Two losses are put into a torch.FloatTensor and summed."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(6, 6)
        self.one, self.two = nn.Linear(6, 1), nn.Linear(6, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = self.body(x).relu()
        parts = (F.mse_loss(self.one(h)[:, 0], y), F.l1_loss(self.two(h)[:, 0], y))
        return torch.FloatTensor(parts).sum()  # <-- CAUSE

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(611)
    x = torch.randn(24, 6, generator=g)
    return DataLoader(TensorDataset(x, torch.randn(24, generator=g)), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "no_grad_loss",
    "cause": "torch.FloatTensor",
    "cause_alt": ["FloatTensor", "Tensor.__float__", "float"],
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": None,
    "source": "own",
    "notes": "",
}
