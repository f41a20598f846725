# SPDX-License-Identifier: Apache-2.0
"""Hard one-hot from argmax in the forward pass, softmax in the backward pass, written out."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.logits = nn.Linear(5, 4)
        self.table = nn.Parameter(torch.randn(4, 5))

    def training_step(self, batch, batch_idx):
        (x,) = batch
        soft = self.logits(x).softmax(-1)
        index = soft.argmax(-1, keepdim=True)
        hard = torch.zeros_like(soft).scatter_(-1, index, 1.0)
        code = hard - soft.detach() + soft
        self.log("used", (hard.sum(0) > 0).float().mean())
        return F.mse_loss(code @ self.table, x)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.02, momentum=0.9)


def dataloader():
    g = torch.Generator().manual_seed(704)
    x = torch.randn(24, 5, generator=g)
    return DataLoader(TensorDataset(x), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "y_hard - y_soft.detach() + y_soft carries the gradient of the softmax.",
    "all_grads_by_step": 1,
    "source": "own",
}
