# SPDX-License-Identifier: Apache-2.0
"""A helper rescales the loss as a Python number and rebuilds it with requires_grad=True."""

import math

import pytorch_lightning as pl
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset


def db(value):
    return torch.tensor(10 * math.log10(value.item() + 1e-9), requires_grad=True)  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.denoise = nn.Sequential(nn.Conv1d(1, 4, 5, padding=2), nn.PReLU(), nn.Conv1d(4, 1, 1))

    def training_step(self, batch, batch_idx):
        (clean,) = batch
        noisy = clean + 0.1 * torch.randn_like(clean)
        return db(F.mse_loss(self.denoise(noisy), clean))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(344)
    return DataLoader(TensorDataset(torch.randn(8, 1, 16, generator=g)), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "leaf_loss",
    "cause": "Tensor.item",
    "cause_alt": ["torch.tensor"],
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": "SignalNoiseRatio",
    "source": "own",
    "notes": "",
}
