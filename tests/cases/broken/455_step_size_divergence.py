# SPDX-License-Identifier: Apache-2.0
"""A learning rate of 1e12 makes the second step overflow."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self, lr=1e12):
        super().__init__()
        self.lr = lr
        self.l1 = nn.Linear(5, 8)
        self.l2 = nn.Linear(8, 8)
        self.l3 = nn.Linear(8, 1)

    def forward(self, x):
        return self.l3(self.l2(self.l1(x))).squeeze(-1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = (self(x) - y).pow(2).mean()
        self.log("mse", loss, on_step=True)
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.lr)  # <-- CAUSE


def dataloader():
    g = torch.Generator().manual_seed(455)
    x = torch.randn(12, 5, generator=g)
    return DataLoader(TensorDataset(x, torch.randn(12, generator=g)), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "nonfinite",
    "cause": "learning_rate",
    "cause_alt": ["lr", "overflow", "pow", "Tensor.pow"],
    "line_marker": "# <-- CAUSE",
    "params": ["l1.*", "l2.*", "l3.weight"],
    "metric_like": None,
    "onset_step": 2,
    "steps": 4,
    "loss_finite": True,
    "source": "own",
    "notes": "The gradient of the last bias is a mean of residuals, the others overflow first.",
}
