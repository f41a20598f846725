# SPDX-License-Identifier: Apache-2.0
"""Features are standardised per batch; one column is constant in the third batch."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def standardise(x):
    return (x - x.mean(0)) / x.std(0)  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(5, 7), nn.Sigmoid(), nn.Linear(7, 1))

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.mse_loss(self.net(standardise(x)).squeeze(1), y)

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def dataloader():
    g = torch.Generator().manual_seed(657)
    x = torch.randn(32, 5, generator=g)
    x[16:24, 2] = 0.5
    return DataLoader(TensorDataset(x, torch.randn(32, generator=g)), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "nonfinite",
    "cause": "torch.div",
    "cause_alt": ["Tensor.__truediv__", "Tensor.div", "div", "Tensor.std"],
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": None,
    "onset_step": 3,
    "steps": 4,
    "source": "own",
    "notes": "",
}
