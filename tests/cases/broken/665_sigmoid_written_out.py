# SPDX-License-Identifier: Apache-2.0
"""1 / (1 + exp(-x)) on inputs that were never scaled."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def sigmoid(x):
    return 1.0 / (1.0 + torch.exp(-x))  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(4, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        p = sigmoid(self.net(x * 1000).squeeze(1))
        return F.mse_loss(p, y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(665)
    x = torch.randn(24, 4, generator=g)
    return DataLoader(TensorDataset(x, (x.flatten(1)[:, 0] > 0).float()), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "nonfinite",
    "cause": "torch.exp",
    "cause_alt": ["Tensor.exp", "exp"],
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": None,
    "loss_finite": True,
    "source": "own",
    "notes": "",
}
