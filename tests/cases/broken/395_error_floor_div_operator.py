# SPDX-License-Identifier: Apache-2.0
"""Position buckets by the // operator on predicted offsets."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class RelativeBias(nn.Module):
    def __init__(self):
        super().__init__()
        self.offset = nn.Linear(4, 1)
        self.slope = nn.Parameter(torch.ones(1))

    def forward(self, x):
        bucket = (8 * torch.sigmoid(self.offset(x))) // 2  # <-- CAUSE
        return self.slope * bucket


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.bias = RelativeBias()

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.mse_loss(self.bias(x), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(395)
    x = torch.randn(12, 4, generator=g)
    return DataLoader(TensorDataset(x, x[:, :1].sin()), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "backward_error",
    "cause": "torch.floor_divide",
    "cause_alt": ["Tensor.floor_divide", "Tensor.__floordiv__", "floor_divide"],
    "line_marker": "# <-- CAUSE",
    "params": ["bias.offset.*"],
    "metric_like": None,
    "error": "derivative for aten::floor_divide is not implemented",
    "source": "own",
    "notes": "",
}
