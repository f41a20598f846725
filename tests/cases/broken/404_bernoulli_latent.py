# SPDX-License-Identifier: Apache-2.0
"""Autoencoder with stochastic binary units sampled by torch.bernoulli, without straight-through."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class BinaryLatent(nn.Module):
    def __init__(self, n_in, n_units):
        super().__init__()
        self.to_prob = nn.Linear(n_in, n_units)

    def forward(self, h):
        prob = torch.sigmoid(self.to_prob(h))
        if self.training:
            return torch.bernoulli(prob)  # <-- CAUSE
        return prob


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(8, 10)
        self.latent = BinaryLatent(10, 6)
        self.out = nn.Linear(6, 8)

    def training_step(self, batch, batch_idx):
        (x,) = batch
        return F.mse_loss(self.out(self.latent(torch.tanh(self.body(x)))), x)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(404)
    x = torch.randn(12, 8, generator=g)
    return DataLoader(TensorDataset(x), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "zero",
    "cause": "torch.bernoulli",
    "line_marker": "# <-- CAUSE",
    "params": ["body.*", "latent.*"],
    "metric_like": None,
    "source": "own",
    "notes": "bernoulli has a grad_fn; its derivative is zero.",
}
