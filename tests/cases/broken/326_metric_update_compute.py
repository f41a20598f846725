# SPDX-License-Identifier: Apache-2.0
"""A differentiable metric is used through update() and compute(), which run without gradients."""

import pytorch_lightning as pl
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset
from torchmetrics import MeanSquaredError


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(3, 6), nn.ReLU(), nn.Linear(6, 1))
        self.mse = MeanSquaredError()

    def training_step(self, batch, batch_idx):
        x, y = batch
        self.mse.reset()
        self.mse.update(self.net(x), y)  # <-- CAUSE
        return self.mse.compute()  # <-- ALSO

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(326)
    x = torch.randn(12, 3, generator=g)
    return DataLoader(TensorDataset(x, x[:, :1].sin()), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "no_grad_loss",
    "cause": "MeanSquaredError",
    "cause_alt": ["Metric.update", "no_grad", "set_grad_enabled", "torchmetrics.MeanSquaredError"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": "MeanSquaredError",
    "source": "own",
    "notes": "Calling the object would have kept the graph.",
}
