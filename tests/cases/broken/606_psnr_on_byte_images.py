# SPDX-License-Identifier: Apache-2.0
"""PSNR is computed on eight-bit images, as evaluation scripts do it."""

import math

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def psnr(img, ref):
    img, ref = (t.clamp(0, 1).mul(255.0).byte().float() for t in (img, ref))  # <-- CAUSE
    return 20 * math.log10(255.0) - 10 * torch.log10((img - ref).square().mean())


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Conv2d(3, 3, 3, padding=1)

    def training_step(self, batch, batch_idx):
        (clean,) = batch
        return -psnr(self.net(clean), clean)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(606)
    x = torch.rand(9, 3, 6, 6, generator=g)
    return DataLoader(TensorDataset(x), batch_size=3)


EXPECT = {
    "verdict": "broken",
    "symptom": "no_grad_loss",
    "cause": "Tensor.byte",
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": "PeakSignalNoiseRatio",
    "source": "own",
    "notes": "",
}
