# SPDX-License-Identifier: Apache-2.0
"""Learned noise scales are broadcast over the batch with torch.full."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset


class LearnedSigma(nn.Module):
    def __init__(self, k):
        super().__init__()
        self.k = k
        self.log_sigma = nn.Parameter(torch.zeros(k))

    def forward(self, n):
        cols = [torch.full((n, 1), s.item()) for s in self.log_sigma]  # <-- CAUSE
        return torch.cat(cols, dim=1).exp()


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.mu = nn.Linear(3, 2)
        self.sigma = LearnedSigma(2)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.gaussian_nll_loss(self.mu(x), y, self.sigma(len(x)) ** 2)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(375)
    x = torch.randn(12, 3, generator=g)
    return DataLoader(TensorDataset(x, x[:, :2].sin()), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "Tensor.item",
    "cause_alt": ["torch.full"],
    "line_marker": "# <-- CAUSE",
    "params": ["sigma.log_sigma"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
