# SPDX-License-Identifier: Apache-2.0
"""Soft dice plus an edge term from fixed Sobel filters; the hard dice is computed with the same function for the log."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

def dice(p, y, eps=1.0):
    return 1 - ((2 * (p * y).sum((1, 2, 3)) + eps) / (p.sum((1, 2, 3)) + y.sum((1, 2, 3)) + eps)).mean()


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(1, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, 1, 1))
        sx = torch.tensor([[1.0, 0, -1], [2, 0, -2], [1, 0, -1]])
        self.register_buffer("sobel", torch.stack([sx, sx.t()])[:, None])

    def edges(self, m):
        g = F.conv2d(m, self.sobel, padding=1)
        return (g.pow(2).sum(1, keepdim=True) + 1e-6).sqrt()

    def training_step(self, batch, batch_idx):
        img, mask = batch
        p = self.net(img).sigmoid()
        soft = dice(p, mask)
        hard = dice((p > 0.5).float(), mask)
        self.log("hard_dice", 1 - hard)
        return soft + 0.2 * F.l1_loss(self.edges(p), self.edges(mask)) + F.binary_cross_entropy(p, mask)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(904)
    return DataLoader(TensorDataset(torch.randn(12, 1, 6, 6, generator=g), torch.rand(12, 1, 6, 6, generator=g).round()), batch_size=4)


EXPECT = {'verdict': 'healthy', 'why': 'Soft dice plus an edge term from fixed Sobel filters; the hard dice is computed with the same function for the log.', 'all_grads_by_step': 1, 'source': 'held'}
