# SPDX-License-Identifier: Apache-2.0
"""Graph convolution: messages summed by index_add_, maxima by scatter_reduce, degrees by bincount."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.msg, self.own = nn.Linear(8, 6), nn.Linear(4, 6)
        self.read = nn.Linear(12, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        n = len(x)
        src = torch.arange(n).repeat(2)
        dst = (src + torch.cat([torch.ones(n), torch.full((n,), 3)]).long()) % n
        message = torch.relu(self.msg(torch.cat([x[src], x[dst]], 1)))
        degree = torch.bincount(dst, minlength=n).clamp(min=1)
        mean = torch.zeros(n, 6).index_add_(0, dst, message) / degree[:, None]
        top = torch.zeros(n, 6).scatter_reduce_(0, dst[:, None].expand(-1, 6), message, "amax")
        return F.mse_loss(self.read(torch.cat([self.own(x) + mean, top], 1)).squeeze(1), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(565)
    data = TensorDataset(torch.randn(24, 4, generator=g), torch.randn(24, generator=g))
    return DataLoader(data, batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "The targets of the sums are constants that become differentiable by being written to.",
    "all_grads_by_step": 1,
    "source": "own",
}
