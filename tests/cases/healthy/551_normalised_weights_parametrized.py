# SPDX-License-Identifier: Apache-2.0
"""Spectral norm, weight norm and an orthogonal map as parametrizations."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrizations as pz
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.a = pz.spectral_norm(nn.Linear(6, 8))
        self.b = pz.weight_norm(nn.Linear(8, 8))
        self.c = pz.orthogonal(nn.Linear(8, 8, bias=False))
        self.d = nn.utils.spectral_norm(nn.Linear(8, 3))

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = torch.tanh(self.b(F.leaky_relu(self.a(x))))
        return F.cross_entropy(self.d(h + self.c(h)), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(551)
    data = TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 3, (24,), generator=g))
    return DataLoader(data, batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "Power iteration runs without grad, the originals behind the weights get gradients.",
    "all_grads_by_step": 1,
    "source": "own",
}
