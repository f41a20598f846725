# SPDX-License-Identifier: Apache-2.0
"""The output dataclass detaches its latent when it is created."""

import dataclasses

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


@dataclasses.dataclass
class Latent:
    mean: torch.Tensor
    scale: torch.Tensor

    def __post_init__(self):
        for field in dataclasses.fields(self):
            setattr(self, field.name, getattr(self, field.name).detach())  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc = nn.Linear(6, 4)
        self.dec = nn.Linear(2, 6)

    def training_step(self, batch, batch_idx):
        (x,) = batch
        mean, raw = self.enc(x).chunk(2, 1)
        latent = Latent(mean=mean, scale=F.softplus(raw))  # <-- ALSO
        z = latent.mean + latent.scale * torch.randn_like(latent.scale)
        return F.mse_loss(self.dec(z), x)

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def dataloader():
    g = torch.Generator().manual_seed(637)
    x = torch.randn(24, 6, generator=g)
    return DataLoader(TensorDataset(x), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "Tensor.detach",
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": ["enc.*"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
