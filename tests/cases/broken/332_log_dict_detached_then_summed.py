# SPDX-License-Identifier: Apache-2.0
"""The dict of terms is detached for logging and the detached dict is summed."""

import pytorch_lightning as pl
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Linear(5, 4)
        self.mu, self.logvar = nn.Linear(4, 2), nn.Linear(4, 2)
        self.decoder = nn.Linear(2, 5)

    def losses(self, x):
        h = torch.relu(self.encoder(x))
        mu, logvar = self.mu(h), self.logvar(h)
        z = mu + torch.randn_like(mu) * (0.5 * logvar).exp()
        kl = -0.5 * (1 + logvar - mu.square() - logvar.exp()).sum(1).mean()
        return {"rec": F.mse_loss(self.decoder(z), x), "kl": 0.1 * kl}

    def training_step(self, batch, batch_idx):
        losses = self.losses(*batch)
        losses = {f"train/{k}": v.detach() for k, v in losses.items()}  # <-- CAUSE
        self.log_dict(losses)
        return sum(losses.values())

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(332)
    return DataLoader(TensorDataset(torch.randn(12, 5, generator=g)), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "no_grad_loss",
    "cause": "Tensor.detach",
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": None,
    "source": "own",
    "notes": "",
}
