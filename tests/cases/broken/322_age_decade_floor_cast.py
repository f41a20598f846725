# SPDX-License-Identifier: Apache-2.0
"""Predicted ages are binned into decades and cast before the error is measured."""

import pytorch_lightning as pl
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset


def decade(age):
    return torch.div(age, 10, rounding_mode="floor").to(dtype=torch.int64)  # <-- CAUSE


class AgeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Linear(9, 6)
        self.age = nn.Linear(6, 1)

    def forward(self, x):
        return 100 * torch.sigmoid(self.age(self.stem(x).relu())).squeeze(-1)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = AgeNet()

    def training_step(self, batch, batch_idx):
        x, years = batch
        off_by = (decade(self.net(x)) - decade(years)).abs()
        return off_by.to(self.dtype).mean()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(322)
    years = torch.randint(1, 99, (20,), generator=g).float()
    return DataLoader(TensorDataset(torch.randn(20, 9, generator=g), years), batch_size=5)


EXPECT = {
    "verdict": "broken",
    "symptom": "no_grad_loss",
    "cause": "Tensor.to",
    "cause_alt": ["torch.div"],
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": None,
    "source": "own",
    "notes": "Floor division alone would leave a graph with zero gradients.",
}
