# SPDX-License-Identifier: Apache-2.0
"""The scale head is pushed down by one long step; log(softplus) of an underflowed value is -inf."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class ScaleHead(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.loc = nn.Linear(dim, 1)
        self.scale = nn.Linear(dim, 1)

    def forward(self, h):
        sigma = F.softplus(self.scale(h))
        return self.loc(h), sigma


def nll(mu, sigma, y):
    z = (y - mu) / sigma  # <-- CAUSE
    return (0.5 * z * z + torch.log(sigma)).mean()  # <-- ALSO


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.head = ScaleHead(4)

    def on_train_batch_start(self, batch, batch_idx):
        if self.global_step == 2:
            self.head.scale.bias.data.fill_(-500.0)  # <-- ALSO

    def training_step(self, batch, batch_idx):
        x, y = batch
        mu, sigma = self.head(x)
        return nll(mu, sigma, y.unsqueeze(1))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(458)
    x = torch.randn(12, 4, generator=g)
    return DataLoader(TensorDataset(x, torch.randn(12, generator=g)), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "nonfinite",
    "cause": "div",
    "cause_alt": ["torch.log", "torch.div"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": None,
    "onset_step": 3,
    "steps": 5,
    "loss_finite": True,
    "source": "own",
    "notes": "",
}
