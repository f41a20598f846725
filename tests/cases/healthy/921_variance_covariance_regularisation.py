# SPDX-License-Identifier: Apache-2.0
"""VICReg: the variance hinge is already satisfied, the covariance and invariance terms train everything."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

def off_diagonal(m):
    n = len(m)
    return m.flatten()[:-1].view(n - 1, n + 1)[:, 1:].flatten()


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 5))
        nn.init.normal_(self.enc[2].weight, std=4.0)

    def training_step(self, batch, batch_idx):
        (x,) = batch
        a, b = self.enc(x + 0.1 * torch.randn_like(x)), self.enc(x + 0.1 * torch.randn_like(x))
        inv = F.mse_loss(a, b)
        std = F.relu(1 - torch.sqrt(a.var(0) + 1e-4)).mean() + F.relu(1 - torch.sqrt(b.var(0) + 1e-4)).mean()
        a, b = a - a.mean(0), b - b.mean(0)
        cov = off_diagonal(a.t() @ a / (len(x) - 1)).pow(2).sum() + off_diagonal(b.t() @ b / (len(x) - 1)).pow(2).sum()
        self.log_dict({"inv": inv, "std": std, "cov": cov})
        return 25 * inv + 25 * std + cov / 5

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(921)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g)), batch_size=16)


EXPECT = {'verdict': 'healthy', 'why': 'VICReg: the variance hinge is already satisfied, the covariance and invariance terms train everything.', 'all_grads_by_step': 1, 'source': 'held'}
