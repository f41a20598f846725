# SPDX-License-Identifier: Apache-2.0
"""One price is zero, its logarithm in the second batch of labels is minus infinity."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 1))

    def training_step(self, batch, batch_idx):
        features, log_price = batch
        return F.mse_loss(self.net(features).squeeze(1), log_price)

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def dataloader():
    g = torch.Generator().manual_seed(652)
    price = torch.rand(24, generator=g) * 100
    price[13] = 0
    return DataLoader(TensorDataset(torch.randn(24, 4, generator=g), price.log()), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "nonfinite",
    "cause": "batch",
    "cause_alt": ["input", "data", "target"],
    "line_marker": None,
    "params": "all",
    "metric_like": None,
    "onset_step": 2,
    "source": "own",
    "notes": "",
}
