# SPDX-License-Identifier: Apache-2.0
"""Only eigenvalues and singular values of covariance matrices are used."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc = nn.Linear(6, 3)

    def training_step(self, batch, batch_idx):
        x, _ = batch
        z = self.enc(x)
        cov = torch.cov(z.T) + 1e-3 * torch.eye(3)
        spread = torch.linalg.eigvalsh(cov).clamp_min(1e-6).log().sum()
        return z.mean(0).square().sum() + torch.linalg.svdvals(z).sum() / 8 - 0.1 * spread

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1280)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'Only eigenvalues and singular values of covariance matrices are used.',
    'all_grads_by_step': 1,
    'source': 'own',
    'never': [],
}
