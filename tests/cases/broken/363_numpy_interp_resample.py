# SPDX-License-Identifier: Apache-2.0
"""A sequence is resampled by np.interp between encoder and decoder."""

import numpy as np
import pytorch_lightning as pl
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset


class Resample:
    def __init__(self, n):
        self.n = n

    def __call__(self, h):
        rows = h.detach().cpu().numpy()  # <-- CAUSE
        grid = np.linspace(0, rows.shape[1] - 1, self.n)
        out = np.stack([np.interp(grid, np.arange(rows.shape[1]), row) for row in rows])
        return torch.as_tensor(out, dtype=h.dtype, device=h.device)  # <-- ALSO


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.front = nn.Conv1d(1, 1, 3, padding=1)
        self.resample = Resample(12)
        self.back = nn.Linear(12, 8)

    def training_step(self, batch, batch_idx):
        (x,) = batch
        return F.mse_loss(self.back(self.resample(self.front(x).squeeze(1))), x.squeeze(1))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(363)
    return DataLoader(TensorDataset(torch.randn(12, 1, 8, generator=g)), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "Tensor.detach",
    "cause_alt": ["Tensor.numpy", "torch.as_tensor"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": ["front.*"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
