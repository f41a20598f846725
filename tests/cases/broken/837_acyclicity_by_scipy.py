# SPDX-License-Identifier: Apache-2.0
"""Causal structure learning: the acyclicity term is computed with scipy's expm and never constrains anything."""
import numpy as np

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

from scipy.linalg import expm


class Model(pl.LightningModule):
    def __init__(self, d=5):
        super().__init__()
        self.w = nn.Parameter(0.1 * torch.randn(d, d))
        self.rho = 1.0

    def h(self):
        w = self.w.detach().numpy()  # <-- CAUSE
        return torch.tensor(np.trace(expm(w * w)) - len(w))  # <-- ALSO

    def training_step(self, batch, batch_idx):
        (x,) = batch
        fit = 0.5 * (x - x @ self.w).pow(2).sum() / len(x)
        acyc = self.h()
        self.log("fit", fit)
        self.log("acyc", acyc)
        return fit + 0.5 * self.rho * acyc * acyc + acyc + 0.01 * self.w.abs().sum()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(837)
    return DataLoader(TensorDataset(torch.randn(48, 5, generator=g)), batch_size=16)


EXPECT = {'verdict': 'broken', 'cause': 'Tensor.detach', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'held', 'notes': '', 'also_marker': '# <-- ALSO', 'symptom': 'dead_term', 'term': 'acyc'}
