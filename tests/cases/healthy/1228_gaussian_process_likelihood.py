# SPDX-License-Identifier: Apache-2.0
"""Cholesky, solve and logdet with learned length scale, noise and amplitude."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(6))
        self.log_amp = nn.Parameter(torch.zeros(()))
        self.log_noise = nn.Parameter(torch.tensor(-1.0))

    def training_step(self, batch, batch_idx):
        x, y = batch
        z = x * self.log_scale.exp()
        d = torch.cdist(z, z).square()
        k = self.log_amp.exp() * torch.exp(-0.5 * d) + self.log_noise.exp() * torch.eye(len(x))
        low = torch.linalg.cholesky(k)
        alpha = torch.cholesky_solve(y, low)
        return 0.5 * (y * alpha).sum() + low.diagonal().log().sum()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1228)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'Cholesky, solve and logdet with learned length scale, noise and amplitude.',
    'all_grads_by_step': 1,
    'source': 'own',
}
