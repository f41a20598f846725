# SPDX-License-Identifier: Apache-2.0
"""Log determinant, Cholesky factor and solve of a covariance with jitter."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.f = nn.Linear(6, 3)
        self.raw = nn.Parameter(torch.zeros(3, 3))

    def training_step(self, batch, batch_idx):
        (x,) = batch
        z = self.f(x)
        cov = z.T @ z / len(z) + 1e-2 * torch.eye(3)
        chol = torch.linalg.cholesky(cov + self.raw @ self.raw.T + self.raw + self.raw.T + torch.eye(3))
        return -torch.logdet(cov) * 0.1 + torch.cholesky_solve(z.T, chol).square().mean() + chol.diagonal().log().sum()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(729)
    x = torch.randn(24, 6, generator=g)
    return DataLoader(TensorDataset(x), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "The matrix is positive definite.",
    "all_grads_by_step": 1,
    "source": "own",
}
