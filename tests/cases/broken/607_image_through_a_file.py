# SPDX-License-Identifier: Apache-2.0
"""The generated image is written with torch.save and read back before it is scored."""

import io

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Disk:
    def __init__(self):
        self.file = io.BytesIO()

    def roundtrip(self, image):
        self.file.seek(0)
        torch.save(image, self.file)  # <-- CAUSE
        self.file.seek(0)
        return torch.load(self.file)  # <-- ALSO


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.decoder = nn.Sequential(nn.Linear(4, 12), nn.Sigmoid())
        self.disk = Disk()

    def training_step(self, batch, batch_idx):
        (z,) = batch
        image = self.disk.roundtrip(self.decoder(z))
        return (image.mean(1) - 0.5).abs().mean()

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def dataloader():
    g = torch.Generator().manual_seed(607)
    x = torch.randn(24, 4, generator=g)
    return DataLoader(TensorDataset(x), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "leaf_loss",
    "cause": "torch.save",
    "cause_alt": ["torch.load", "BytesIO"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": None,
    "source": "own",
    "notes": "The loaded tensor requires grad, but it is a new leaf.",
}
