# SPDX-License-Identifier: Apache-2.0
"""NOTEARS: trace of the matrix exponential with an augmented Lagrangian whose multipliers are Python floats."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Model(pl.LightningModule):
    def __init__(self, d=5):
        super().__init__()
        self.w = nn.Parameter(torch.zeros(d, d))
        self.alpha, self.rho = 0.0, 1.0
        self.register_buffer("off", 1 - torch.eye(d))

    def training_step(self, batch, batch_idx):
        (x,) = batch
        w = self.w * self.off
        h = torch.trace(torch.matrix_exp(w * w)) - w.size(0)
        self.alpha += self.rho * h.item()
        edges = (w.abs() > 0.3).sum()
        self.log("edges", edges.float())
        return 0.5 * (x - x @ w).pow(2).sum() / len(x) + self.alpha * h + 0.5 * self.rho * h * h + 0.01 * w.abs().sum()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(947)
    return DataLoader(TensorDataset(torch.randn(48, 5, generator=g)), batch_size=16)


EXPECT = {'verdict': 'healthy', 'why': 'NOTEARS: trace of the matrix exponential with an augmented Lagrangian whose multipliers are Python floats.', 'all_grads_by_step': 1, 'source': 'held'}
