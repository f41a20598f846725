# SPDX-License-Identifier: Apache-2.0
"""VQ-VAE whose unused codes are overwritten by encoder outputs under no_grad after every batch."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc, self.dec = nn.Linear(8, 4), nn.Linear(4, 8)
        self.codes = nn.Embedding(12, 4)
        self.register_buffer("usage", torch.zeros(12))

    def training_step(self, batch, batch_idx):
        (x,) = batch
        z = self.enc(x)
        d = z.pow(2).sum(1, keepdim=True) - 2 * z @ self.codes.weight.t() + self.codes.weight.pow(2).sum(1)
        idx = d.argmin(1)
        q = self.codes(idx)
        loss = F.mse_loss(q, z.detach()) + 0.25 * F.mse_loss(z, q.detach())
        st = z + (q - z).detach()
        self.usage.mul_(0.5).add_(torch.bincount(idx, minlength=12))
        self.last = z.detach()
        p = F.one_hot(idx, 12).float().mean(0)
        self.log("perplexity", torch.exp(-(p * torch.log(p + 1e-10)).sum()))
        return loss + F.mse_loss(self.dec(st), x)

    @torch.no_grad()
    def on_train_batch_end(self, *_):
        dead = self.usage < 0.6
        if dead.any():
            self.codes.weight[dead] = self.last[torch.randint(len(self.last), (int(dead.sum()),))]

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(916)
    return DataLoader(TensorDataset(torch.randn(24, 8, generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': 'VQ-VAE whose unused codes are overwritten by encoder outputs under no_grad after every batch.', 'all_grads_by_step': 1, 'source': 'held'}
