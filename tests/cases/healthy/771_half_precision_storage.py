# SPDX-License-Identifier: Apache-2.0
"""Activations are stored in half and bfloat16 and widened again, weights are float64."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(4, 8).double(), nn.Linear(8, 8), nn.Linear(8, 2)

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = self.a(x.double()).tanh().half()
        h = self.b(h.to(torch.float32)).bfloat16().type(torch.FloatTensor)
        return F.cross_entropy(self.c(h.type_as(x)), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(771)
    x = torch.randn(24, 4, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 2, (24,), generator=g)), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "Casts between floating types are differentiable.",
    "all_grads_by_step": 1,
    "source": "own",
}
