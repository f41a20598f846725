# SPDX-License-Identifier: Apache-2.0
"""Structural similarity and PSNR from torchmetrics.functional are differentiable and are the loss."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torchmetrics.functional.image import peak_signal_noise_ratio
from torchmetrics.functional.image import structural_similarity_index_measure


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 1, 3, padding=1), nn.Sigmoid())

    def training_step(self, batch, batch_idx):
        (x,) = batch
        out = self.net(x)
        ssim = structural_similarity_index_measure(out, x, data_range=1.0, kernel_size=5, sigma=0.5)
        return 1 - ssim - 0.01 * peak_signal_noise_ratio(out, x, data_range=1.0)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(700)
    x = torch.rand(6, 1, 12, 12, generator=g)
    return DataLoader(TensorDataset(x), batch_size=2)


EXPECT = {
    "verdict": "healthy",
    "why": "Both functional metrics keep the graph.",
    "all_grads_by_step": 1,
    "source": "own",
}
