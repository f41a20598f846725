# SPDX-License-Identifier: Apache-2.0
"""Audio autoencoder that simulates 8-bit storage of the latent with torch.trunc."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

LEVELS = 127


def to_pcm(wave):
    scaled = torch.tanh(wave) * LEVELS
    return torch.trunc(scaled) / LEVELS  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.analysis = nn.Conv1d(1, 4, 5, padding=2)
        self.synthesis = nn.Conv1d(4, 1, 5, padding=2)

    def forward(self, wave):
        return self.synthesis(to_pcm(self.analysis(wave)))

    def training_step(self, batch, batch_idx):
        (wave,) = batch
        return (self(wave) - wave).pow(2).mean()

    def configure_optimizers(self):
        opt = torch.optim.Adam(self.parameters(), lr=1e-3)
        return {"optimizer": opt, "lr_scheduler": torch.optim.lr_scheduler.StepLR(opt, 1)}


def dataloader():
    g = torch.Generator().manual_seed(402)
    x = torch.randn(12, 1, 16, generator=g)
    return DataLoader(TensorDataset(x), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "zero",
    "cause": "torch.trunc",
    "line_marker": "# <-- CAUSE",
    "params": ["analysis.*"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
