# SPDX-License-Identifier: Apache-2.0
"""A torchmetrics object that declares itself differentiable is called and returned as the loss."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torchmetrics.image import TotalVariation


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Conv2d(1, 1, 3, padding=1)
        self.tv = TotalVariation()

    def training_step(self, batch, batch_idx):
        (x,) = batch
        out = self.net(x)
        return F.mse_loss(out, x) + 1e-3 * self.tv(out)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(701)
    x = torch.rand(12, 1, 6, 6, generator=g)
    return DataLoader(TensorDataset(x), batch_size=4)


EXPECT = {
    "verdict": "healthy",
    "why": "The metric keeps the graph in the value that its forward returns.",
    "all_grads_by_step": 1,
    "source": "own",
}
