# SPDX-License-Identifier: Apache-2.0
"""VQ-VAE: the straight-through output replaces the quantised vectors before the codebook loss, so the codebook gets nothing."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Quantizer(nn.Module):
    def __init__(self, n, dim):
        super().__init__()
        self.codebook = nn.Parameter(torch.randn(n, dim))

    def forward(self, z):
        dist = torch.cdist(z, self.codebook)
        q = self.codebook[dist.argmin(-1)]
        q = z + (q - z).detach()  # <-- CAUSE
        commit = F.mse_loss(z, q.detach())
        codebook = F.mse_loss(q, z.detach())
        return q, codebook + 0.25 * commit


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc = nn.Linear(10, 4)
        self.vq = Quantizer(16, 4)
        self.dec = nn.Linear(4, 10)

    def training_step(self, batch, batch_idx):
        (x,) = batch
        q, vq_loss = self.vq(self.enc(x))
        rec = F.mse_loss(self.dec(q), x)
        self.log_dict({"rec": rec, "vq": vq_loss})
        return rec + vq_loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(813)
    return DataLoader(TensorDataset(torch.randn(24, 10, generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'cause': 'Tensor.detach', 'line_marker': '# <-- CAUSE', 'params': ['vq.codebook'], 'metric_like': None, 'source': 'held', 'notes': '', 'symptom': 'missing'}
