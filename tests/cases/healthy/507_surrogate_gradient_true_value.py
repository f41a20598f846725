# SPDX-License-Identifier: Apache-2.0
"""The number reported is the 0-1 error, the gradient is that of a smooth stand-in."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 10), nn.GELU(), nn.Linear(10, 1))

    def training_step(self, batch, batch_idx):
        x, y = batch
        score = self.net(x).squeeze(1)
        sign = torch.where(y > 0, 1.0, -1.0)
        error_rate = (torch.sign(score) != sign).float().mean()
        surrogate = F.softplus(-sign * score).mean()
        return surrogate - surrogate.detach() + error_rate

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(507)
    data = TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, generator=g))
    return DataLoader(data, batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "The error rate adds its value and the surrogate adds the gradient.",
    "all_grads_by_step": 1,
    "source": "own",
}
