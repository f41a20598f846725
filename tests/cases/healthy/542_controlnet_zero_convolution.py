# SPDX-License-Identifier: Apache-2.0
"""A trainable copy of a frozen encoder steers it through convolutions that start at zero."""

import copy

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def zero_conv(c):
    conv = nn.Conv2d(c, c, 1)
    for p in conv.parameters():
        nn.init.zeros_(p)
    return conv


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.base = nn.Conv2d(1, 4, 3, padding=1)
        self.out = nn.Conv2d(4, 1, 3, padding=1)
        self.control = copy.deepcopy(self.base)
        self.base.requires_grad_(False)
        self.out.requires_grad_(False)
        self.hint = nn.Conv2d(1, 1, 1)
        self.zero = zero_conv(4)

    def training_step(self, batch, batch_idx):
        img, hint = batch
        steer = self.zero(torch.relu(self.control(img + self.hint(hint))))
        return F.mse_loss(self.out(torch.relu(self.base(img) + steer)), hint)

    def configure_optimizers(self):
        return torch.optim.AdamW([p for p in self.parameters() if p.requires_grad], lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(542)
    data = TensorDataset(torch.randn(6, 1, 6, 6, generator=g), torch.rand(6, 1, 6, 6, generator=g))
    return DataLoader(data, batch_size=2)


EXPECT = {
    "verdict": "healthy",
    "why": "The zero convolution opens after its first update; what lies before it waits one step.",
    "all_grads_by_step": 2, "late": {"control.*": 2, "hint.*": 2},
    "source": "own",
}
