# SPDX-License-Identifier: Apache-2.0
"""The root of the mean squared error is taken with the math module."""

import math

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def rmse(pred, target):
    mse = ((pred - target) ** 2).mean()
    root = math.sqrt(mse)  # <-- CAUSE
    return torch.as_tensor(root, dtype=pred.dtype)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.lin = nn.Linear(4, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = rmse(self.lin(x).flatten(), y)
        self.log("rmse", loss)
        return {"loss": loss, "n": len(y)}

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(610)
    x = torch.randn(24, 4, generator=g)
    return DataLoader(TensorDataset(x, torch.randn(24, generator=g)), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "no_grad_loss",
    "cause": "math.sqrt",
    "cause_alt": ["Tensor.__float__", "float"],
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": "MeanSquaredError",
    "source": "own",
    "notes": "",
}
