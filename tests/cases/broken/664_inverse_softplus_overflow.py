# SPDX-License-Identifier: Apache-2.0
"""log(exp(x) - 1) of a length scale that was initialised in raw units."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Kernel(nn.Module):
    def __init__(self):
        super().__init__()
        self.raw = nn.Parameter(torch.tensor(100.0))

    @property
    def lengthscale(self):
        return torch.log(torch.exp(self.raw) - 1.0)  # <-- CAUSE

    def forward(self, x):
        return torch.exp(-torch.cdist(x, x).square() / (2 * self.lengthscale**2))


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.kernel = Kernel()
        self.noise = nn.Parameter(torch.zeros(()))

    def training_step(self, batch, batch_idx):
        x, y = batch
        k = self.kernel(x)
        return F.mse_loss(k @ y / len(y) + self.noise, y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.02, momentum=0.9)


def dataloader():
    g = torch.Generator().manual_seed(664)
    x = torch.randn(24, 3, generator=g)
    return DataLoader(TensorDataset(x, torch.randn(24, generator=g)), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "nonfinite",
    "cause": "torch.exp",
    "cause_alt": ["Tensor.exp", "torch.log", "Tensor.log", "exp", "log"],
    "line_marker": "# <-- CAUSE",
    "params": ["kernel.raw"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
