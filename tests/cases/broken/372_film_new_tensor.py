# SPDX-License-Identifier: Apache-2.0
"""FiLM modulation rebuilt with new_tensor to match the dtype of the features."""

import pytorch_lightning as pl
import torch
import torch.nn as nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset


class FiLM(nn.Module):
    def __init__(self, ctx, dim):
        super().__init__()
        self.gamma, self.beta = nn.Linear(ctx, dim), nn.Linear(ctx, dim)

    def forward(self, h, ctx):
        gain = h.new_tensor(self.gamma(ctx))  # <-- CAUSE
        return (1 + gain) * h + self.beta(ctx)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Linear(5, 6)
        self.film = FiLM(2, 6)
        self.head = nn.Linear(6, 2)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.mse_loss(self.head(self.film(self.trunk(x), x[:, :2])), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(372)
    x = torch.randn(12, 5, generator=g)
    return DataLoader(TensorDataset(x, x[:, :2].sin()), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "Tensor.new_tensor",
    "cause_alt": ["new_tensor"],
    "line_marker": "# <-- CAUSE",
    "params": ["film.gamma.*"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
