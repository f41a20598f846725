# SPDX-License-Identifier: Apache-2.0
"""In-place relu, add, mul, masked_fill and clamp on intermediate results."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(6, 10), nn.Linear(10, 10), nn.Linear(10, 3)
        self.act = nn.ReLU(inplace=True)

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = self.act(self.a(x))
        h = self.b(h).add_(h)
        h.mul_(0.5).masked_fill_(x.sum(1, keepdim=True) > 3, 0.0)
        logits = self.c(h.relu_().clone())
        logits.clamp_(-30, 30)
        logits /= 1.5
        return F.nll_loss(logits.log_softmax(1), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(564)
    data = TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 3, (24,), generator=g))
    return DataLoader(data, batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "Autograd follows in-place operations.",
    "all_grads_by_step": 1,
    "source": "own",
}
