# SPDX-License-Identifier: Apache-2.0
"""Parametrised layers: spectral norm, weight norm, an orthogonal matrix."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torch.nn.utils import parametrizations as par


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.a = par.spectral_norm(nn.Linear(5, 6))
        self.b = par.weight_norm(nn.Linear(6, 6))
        self.c = par.orthogonal(nn.Linear(6, 6))
        self.out = nn.Linear(6, 2)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.out(self.c(self.b(self.a(x).tanh()).tanh()).tanh()), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(745)
    x = torch.randn(24, 5, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 2, (24,), generator=g)), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "The original tensors are the parameters and have gradients.",
    "all_grads_by_step": 1,
    "source": "own",
}
