# SPDX-License-Identifier: Apache-2.0
"""A stochastic layer uses Normal.sample where rsample was meant."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.distributions.normal import Normal
from torch.utils.data import DataLoader, TensorDataset


class StochasticLayer(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.loc = nn.Linear(i, o)
        self.scale = nn.Sequential(nn.Linear(i, o), nn.Softplus())

    def forward(self, x):
        dist = Normal(self.loc(x), self.scale(x) + 1e-3)
        return dist.sample() if self.training else dist.mean  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(5, 5), nn.ReLU(), StochasticLayer(5, 3))
        self.decoder = nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 5))

    def training_step(self, batch, batch_idx):
        (x,) = batch
        return F.mse_loss(self.decoder(self.encoder(x)), x)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(355)
    return DataLoader(TensorDataset(torch.randn(12, 5, generator=g)), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "Normal.sample",
    "cause_alt": ["Distribution.sample", "sample", "torch.normal", "no_grad"],
    "line_marker": "# <-- CAUSE",
    "params": ["encoder.*"],
    "metric_like": None,
    "source": "own",
    "notes": "No KL term, so nothing else reaches the encoder.",
}
