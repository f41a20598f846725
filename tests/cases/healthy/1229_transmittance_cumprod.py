# SPDX-License-Identifier: Apache-2.0
"""Alpha compositing with cumprod and an exclusive shift."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.sigma, self.colour = nn.Linear(6, 5), nn.Linear(6, 5)

    def training_step(self, batch, batch_idx):
        x, y = batch
        alpha = 1 - torch.exp(-F.softplus(self.sigma(x)))
        clear = torch.cumprod(torch.cat([torch.ones(len(x), 1), 1 - alpha + 1e-10], 1), 1)[:, :-1]
        w = alpha * clear
        return F.mse_loss((w * self.colour(x).sigmoid()).sum(1, keepdim=True), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1229)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'Alpha compositing with cumprod and an exclusive shift.',
    'all_grads_by_step': 1,
    'source': 'own',
}
