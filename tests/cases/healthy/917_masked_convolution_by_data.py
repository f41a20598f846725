# SPDX-License-Identifier: Apache-2.0
"""PixelCNN: the weight is masked through .data before each convolution."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class MaskedConv(nn.Conv2d):
    def __init__(self, kind, *args, **kwargs):
        super().__init__(*args, **kwargs)
        mask = torch.ones_like(self.weight)
        k = self.kernel_size[0]
        mask[:, :, k // 2, k // 2 + (kind == "B") :] = 0
        mask[:, :, k // 2 + 1 :] = 0
        self.register_buffer("mask", mask)

    def forward(self, x):
        self.weight.data *= self.mask
        return super().forward(x)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.a = MaskedConv("A", 1, 6, 3, padding=1)
        self.b = MaskedConv("B", 6, 6, 3, padding=1)
        self.out = nn.Conv2d(6, 4, 1)

    def training_step(self, batch, batch_idx):
        (img,) = batch
        bins = (img * 3.999).long()
        logits = self.out(self.b(self.a(bins.float() / 3).relu()).relu())
        return F.cross_entropy(logits, bins.squeeze(1))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(917)
    return DataLoader(TensorDataset(torch.rand(12, 1, 6, 6, generator=g)), batch_size=4)


EXPECT = {'verdict': 'healthy', 'why': 'PixelCNN: the weight is masked through .data before each convolution.', 'all_grads_by_step': 1, 'source': 'held'}
