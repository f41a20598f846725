# SPDX-License-Identifier: Apache-2.0
"""Spectral penalties through svdvals and eigvalsh at a matrix with equal values."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.eye(4))
        self.out = nn.Linear(4, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        s = torch.linalg.svdvals(self.w)
        e = torch.linalg.eigvalsh(self.w @ self.w.T)
        fit = F.mse_loss(self.out(x @ self.w)[:, 0], y)
        return fit + 0.1 * (s.max() - 2) ** 2 + 0.01 * e.sum() + 0.01 * torch.linalg.matrix_norm(self.w, "nuc")

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(730)
    x = torch.randn(24, 4, generator=g)
    return DataLoader(TensorDataset(x, torch.randn(24, generator=g)), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "The values alone are differentiable, only the vectors are not.",
    "all_grads_by_step": 1,
    "source": "own",
}
