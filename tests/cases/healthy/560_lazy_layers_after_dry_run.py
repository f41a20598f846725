# SPDX-License-Identifier: Apache-2.0
"""Lazy layers get their sizes from a forward pass without grad in the constructor."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.LazyConv2d(4, 3), nn.LazyBatchNorm2d(), nn.ReLU(), nn.Flatten(), nn.LazyLinear(3))
        self.eval()
        with torch.no_grad():
            self.net(torch.zeros(1, 1, 6, 6))
        self.train()

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.net(x), y, label_smoothing=0.1)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(560)
    x = torch.randn(12, 1, 6, 6, generator=g)
    y = torch.randint(0, 3, (12,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=4)


EXPECT = {
    "verdict": "healthy",
    "why": "The dry run fixes shapes only. The first convolution's bias before a batch norm is zero on paper.",
    "all_grads_by_step": 1, "never": ["net.0.bias"],
    "source": "own",
}
