# SPDX-License-Identifier: Apache-2.0
"""The KL term of a VAE goes through float() in a helper that was written for printing."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def kl_divergence(mu, logvar):
    kl = -0.5 * (1 + logvar - mu.pow(2) - logvar.exp()).sum(dim=1)
    return float(kl.mean())  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.stem = nn.Linear(8, 12)
        self.mu, self.logvar = nn.Linear(12, 3), nn.Linear(12, 3)
        self.decoder = nn.Sequential(nn.Linear(3, 12), nn.ReLU(), nn.Linear(12, 8))

    def encode(self, x):
        h = F.elu(self.stem(x))
        return self.mu(h), self.logvar(h)

    def training_step(self, batch, batch_idx):
        (x,) = batch
        mu, logvar = self.encode(x)
        z = mu + torch.randn_like(mu) * (0.5 * logvar).exp()
        kl = torch.as_tensor(kl_divergence(mu, logvar))
        self.log("kl", kl)
        return F.mse_loss(self.decoder(z), x) + 0.1 * kl

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(463)
    x = torch.randn(12, 8, generator=g)
    return DataLoader(TensorDataset(x), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "dead_term",
    "cause": "float",
    "cause_alt": ["Tensor.__float__", "Tensor.item"],
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": None,
    "term": "kl",
    "source": "own",
    "notes": "mu and logvar still learn, from the reconstruction alone.",
}
