# SPDX-License-Identifier: Apache-2.0
"""Spectral mixing through numpy's FFT in an otherwise differentiable block with a residual path."""

import numpy as np
import pytorch_lightning as pl
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset


def rfft_magnitude(h):
    spectrum = np.fft.rfft(h.data.numpy(), axis=1)  # <-- CAUSE
    return torch.from_numpy(np.abs(spectrum)).to(h)  # <-- ALSO


class Spectral(nn.Module):
    def __init__(self, t):
        super().__init__()
        self.pre = nn.Linear(t, t)
        self.post = nn.Linear(t // 2 + 1, t)

    def forward(self, x):
        return x + self.post(rfft_magnitude(self.pre(x)))


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.stem = nn.Linear(8, 8)
        self.spectral = Spectral(8)

    def training_step(self, batch, batch_idx):
        (x,) = batch
        return F.mse_loss(self.spectral(self.stem(x)), x)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(376)
    return DataLoader(TensorDataset(torch.randn(12, 8, generator=g)), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "Tensor.data",
    "cause_alt": ["Tensor.numpy", "torch.from_numpy"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": ["spectral.pre.*"],
    "metric_like": None,
    "source": "own",
    "notes": "The stem keeps its gradient through the residual path.",
}
