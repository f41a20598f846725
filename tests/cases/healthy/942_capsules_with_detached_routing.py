# SPDX-License-Identifier: Apache-2.0
"""Capsule network: routing iterations on detached votes, only the last one differentiable; squash with an epsilon."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

def squash(s):
    n2 = (s * s).sum(-1, keepdim=True)
    return n2 / (1 + n2) * s / (n2 + 1e-8).sqrt()


class Caps(nn.Module):
    def __init__(self, n_in, d_in, n_out, d_out):
        super().__init__()
        self.w = nn.Parameter(0.3 * torch.randn(n_out, n_in, d_out, d_in))

    def forward(self, u, iters=3):
        votes = torch.einsum("onij,bnj->boni", self.w, u)
        frozen = votes.detach()
        b = torch.zeros(votes.shape[:3])
        for i in range(iters):
            c = b.softmax(1)
            if i == iters - 1:
                return squash((c[..., None] * votes).sum(2))
            v = squash((c[..., None] * frozen).sum(2))
            b = b + (frozen * v[:, :, None]).sum(-1)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 3)
        self.caps = Caps(8, 4, 3, 5)

    def training_step(self, batch, batch_idx):
        img, y = batch
        u = squash(self.conv(img).relu().flatten(2).view(len(img), 8, 4))
        length = (self.caps(u).pow(2).sum(-1) + 1e-8).sqrt()
        t = F.one_hot(y, 3)
        return (t * F.relu(0.9 - length) ** 2 + 0.5 * (1 - t) * F.relu(length - 0.1) ** 2).sum(1).mean()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(942)
    return DataLoader(TensorDataset(torch.randn(12, 1, 4, 4, generator=g), torch.randint(0, 3, (12,), generator=g)), batch_size=4)


EXPECT = {'verdict': 'healthy', 'why': 'Capsule network: routing iterations on detached votes, only the last one differentiable; squash with an epsilon.', 'all_grads_by_step': 1, 'source': 'held'}
