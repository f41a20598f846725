# SPDX-License-Identifier: Apache-2.0
"""weight_norm applied in on_train_start: the new parameters are not in the optimizer."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 8)
        self.out = nn.Linear(8, 1)

    def on_train_start(self):
        norm = nn.utils.parametrizations.weight_norm
        norm(self.fc)  # <-- CAUSE

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.mse_loss(self.out(F.softplus(self.fc(x))).squeeze(1), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)


def dataloader():
    g = torch.Generator().manual_seed(487)
    x = torch.randn(12, 6, generator=g)
    return DataLoader(TensorDataset(x, torch.randn(12, generator=g)), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "not_optimized",
    "cause": "optimizer_params",
    "cause_alt": ["weight_norm", "replaced"],
    "line_marker": "# <-- CAUSE",
    "params": ["fc.parametrizations.weight.*"],
    "metric_like": None,
    "replaced": True,
    "source": "own",
    "notes": "",
}
