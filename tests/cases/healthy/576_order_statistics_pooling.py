# SPDX-License-Identifier: Apache-2.0
"""Pooling by sort, kthvalue, median, quantile and max, all by their values."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.point = nn.Linear(2, 5)
        self.head = nn.Linear(25, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = self.point(x.view(len(x), 4, 2))
        pools = [
            h.sort(dim=1, descending=True).values[:, 0],
            h.kthvalue(2, dim=1).values,
            h.median(dim=1)[0],
            h.quantile(0.75, dim=1),
            torch.max(h, 1)[0] - h.amin(1),
        ]
        return F.l1_loss(self.head(torch.cat(pools, 1)).squeeze(1), y) + 1e-3 * h.square().mean()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(576)
    data = TensorDataset(torch.randn(27, 8, generator=g), torch.randn(27, generator=g))
    return DataLoader(data, batch_size=9)


EXPECT = {
    "verdict": "healthy",
    "why": "Order statistics hand their gradient to the element they picked.",
    "all_grads_by_step": 1,
    "source": "own",
}
