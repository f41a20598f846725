# SPDX-License-Identifier: Apache-2.0
"""A dict of weighted terms is summed with .item(), the total wrapped in a tensor."""

import pytorch_lightning as pl
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset


class Criterion:
    def __init__(self, **weights):
        self.weights = weights

    def terms(self, rec, x, z):
        yield "rec", F.mse_loss(rec, x)
        yield "sparse", z.abs().mean()
        yield "scale", (z.var(0) - 1).pow(2).mean()

    def __call__(self, rec, x, z):
        total = 0.0
        for name, value in self.terms(rec, x, z):
            total += self.weights.get(name, 1.0) * value.item()  # <-- CAUSE
        return torch.tensor(total)  # <-- ALSO


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc, self.dec = nn.Linear(6, 3), nn.Linear(3, 6)
        self.criterion = Criterion(sparse=0.1, scale=0.01)

    def training_step(self, batch, batch_idx):
        (x,) = batch
        z = self.enc(x)
        return self.criterion(self.dec(z), x, z)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(310)
    return DataLoader(TensorDataset(torch.randn(12, 6, generator=g)), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "no_grad_loss",
    "cause": "Tensor.item",
    "cause_alt": ["torch.tensor"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": None,
    "source": "own",
    "notes": "",
}
