# SPDX-License-Identifier: Apache-2.0
"""The log determinant of a coupling layer is kept as plain data, only the Gaussian term trains."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Coupling(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(d, 12), nn.Tanh(), nn.Linear(12, 2 * d))

    def forward(self, x):
        a, b = x.chunk(2, 1)
        s, t = self.net(a).chunk(2, 1)
        s = torch.tanh(s)
        return torch.cat([a, b * s.exp() + t], 1), s.detach().sum(1)  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.flow = nn.ModuleList([Coupling(3), Coupling(3)])

    def training_step(self, batch, batch_idx):
        (z,) = batch
        total = torch.zeros(len(z))
        for layer in self.flow:
            z, ld = layer(z)
            z = z.flip(1)
            total = total + ld
        logdet = -total.mean()
        self.log("logdet", logdet)
        return 0.5 * z.square().sum(1).mean() + logdet  # <-- ALSO

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(626)
    x = torch.randn(24, 6, generator=g)
    return DataLoader(TensorDataset(x), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "dead_term",
    "cause": "Tensor.detach",
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": None,
    "term": "logdet",
    "source": "own",
    "notes": "",
}
