# SPDX-License-Identifier: Apache-2.0
"""Free bits: while the KL is below its allowance its gradient is zero on purpose."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc, self.dec = nn.Linear(6, 6), nn.Linear(3, 6)

    def training_step(self, batch, batch_idx):
        (x,) = batch
        mu, logvar = self.enc(0.1 * x).chunk(2, 1)
        z = mu + torch.randn_like(mu) * (0.5 * logvar).exp()
        kl = 0.5 * (mu.square() + logvar.exp() - 1 - logvar).mean(0)
        free = torch.clamp(kl, min=0.5).sum()
        self.log("kl", kl.sum())
        return F.mse_loss(self.dec(z), x) + free

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2107)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': 'Free bits: while the KL is below its allowance its gradient is zero on purpose.', 'all_grads_by_step': 1, 'source': 'own'}
