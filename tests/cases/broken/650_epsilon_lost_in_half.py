# SPDX-License-Identifier: Apache-2.0
"""The epsilon of a log is smaller than the smallest half-precision number."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(4, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        p = torch.sigmoid(30 * self.net(x)[:, 0] - 30 * x[:, 0].abs()).half()  # <-- ALSO
        bce = -(y.half() * torch.log(p + 1e-8) + (1 - y.half()) * torch.log(1 - p + 1e-3))  # <-- CAUSE
        return bce.float().mean()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(650)
    x = torch.randn(24, 4, generator=g)
    return DataLoader(TensorDataset(x, (x.flatten(1)[:, 0] > 0).float()), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "nonfinite",
    "cause": "torch.log",
    "cause_alt": ["Tensor.log", "Tensor.half"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": None,
    "source": "own",
    "notes": "",
}
