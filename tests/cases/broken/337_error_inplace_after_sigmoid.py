# SPDX-License-Identifier: Apache-2.0
"""A gate is rescaled in place after a sigmoid that needs its own output for backward."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Gate(nn.Module):
    def __init__(self, dim, floor=0.1):
        super().__init__()
        self.floor = floor
        self.lin = nn.Linear(dim, dim)

    def forward(self, x):
        g = torch.sigmoid(self.lin(x))
        g *= 1 - self.floor  # <-- CAUSE
        g += self.floor  # <-- ALSO
        return g * x


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 6), Gate(6), nn.Linear(6, 2))

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.mse_loss(self.net(x), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(337)
    x = torch.randn(12, 4, generator=g)
    return DataLoader(TensorDataset(x, x[:, :2].sin()), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "backward_error",
    "cause": "Tensor.mul_",
    "cause_alt": ["Tensor.__imul__", "Tensor.add_", "Tensor.__iadd__", "in-place"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": None,
    "error": "modified by an inplace operation",
    "source": "own",
    "notes": "",
}
