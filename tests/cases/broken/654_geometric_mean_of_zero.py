# SPDX-License-Identifier: Apache-2.0
"""A geometric mean over channels of which one is exactly zero."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.base = nn.Linear(4, 1)
        self.gate = nn.Parameter(torch.tensor([1.0, 2.0, 0.0, 1.5]))

    def pool(self, h):
        return h.abs().log().mean(-1).exp()  # <-- CAUSE

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.mse_loss(self.base(x)[:, 0] + self.pool(self.gate * (x.abs() + 1)), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.02, momentum=0.9)


def dataloader():
    g = torch.Generator().manual_seed(654)
    x = torch.randn(24, 4, generator=g)
    return DataLoader(TensorDataset(x, torch.randn(24, generator=g)), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "nonfinite",
    "cause": "Tensor.log",
    "cause_alt": ["torch.log"],
    "line_marker": "# <-- CAUSE",
    "params": ["gate"],
    "metric_like": None,
    "loss_finite": True,
    "source": "own",
    "notes": "",
}
