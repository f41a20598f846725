# SPDX-License-Identifier: Apache-2.0
"""The decoder is an ordinary class, not an nn.Module, so its layers stay unknown."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Decoder:
    def __init__(self, dim, out):
        self.hidden = nn.Linear(dim, 2 * dim)
        self.out = nn.Linear(2 * dim, out)

    def decode(self, z):
        return self.out(F.gelu(self.hidden(z)))


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Linear(8, 3)
        self.decoder = Decoder(3, 8)  # <-- CAUSE

    def training_step(self, batch, batch_idx):
        (x,) = batch
        return F.mse_loss(self.decoder.decode(self.encoder(x)), x)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(495)
    x = torch.randn(12, 8, generator=g)
    return DataLoader(TensorDataset(x), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "not_registered",
    "cause": "plain_object",
    "line_marker": "# <-- CAUSE",
    "params": ["decoder.hidden.*", "decoder.out.*"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
