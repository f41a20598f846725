# SPDX-License-Identifier: Apache-2.0
"""A byte image is made for the logger, PSNR for the progress bar; the loss is untouched."""

import math

import numpy as np
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.Sigmoid())
        self.pictures = []

    def training_step(self, batch, batch_idx):
        (x,) = batch
        out = self.net(x)
        picture = (out * 255).byte()
        self.pictures.append(np.asarray(picture[0].permute(1, 2, 0)))
        mse = F.mse_loss(picture.float() / 255, x)
        self.log("psnr", -10 * math.log10(mse), prog_bar=True)
        return F.l1_loss(out, x)

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def dataloader():
    g = torch.Generator().manual_seed(707)
    x = torch.rand(9, 3, 5, 5, generator=g)
    return DataLoader(TensorDataset(x), batch_size=3)


EXPECT = {
    "verdict": "healthy",
    "why": "Quantisation happens beside the loss.",
    "all_grads_by_step": 1,
    "source": "own",
}
