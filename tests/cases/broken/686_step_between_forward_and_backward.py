# SPDX-License-Identifier: Apache-2.0
"""The discriminator steps between the generator's forward pass and its backward pass."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.g = nn.Linear(2, 4)
        self.d = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 1))

    def training_step(self, batch, batch_idx):
        z, real = batch
        opt_g, opt_d = self.optimizers()
        fake = self.g(z)
        loss_g = F.softplus(-self.d(fake)).mean()  # <-- ALSO
        loss_d = F.softplus(self.d(fake.detach())).mean() + F.softplus(-self.d(real)).mean()
        opt_d.zero_grad()
        self.manual_backward(loss_d)
        opt_d.step()  # <-- CAUSE
        opt_g.zero_grad()
        self.manual_backward(loss_g)  # <-- ALSO
        opt_g.step()

    def configure_optimizers(self):
        return torch.optim.SGD(self.g.parameters(), lr=0.1), torch.optim.SGD(self.d.parameters(), lr=0.1)


def dataloader():
    g = torch.Generator().manual_seed(686)
    return DataLoader(TensorDataset(torch.randn(24, 2, generator=g), torch.randn(24, 4, generator=g)), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "backward_error",
    "cause": "optimizer.step",
    "cause_alt": ["step", "Optimizer.step", "LightningOptimizer.step", "inplace", "opt_d.step"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": None,
    "error": "modified by an inplace operation",
    "source": "own",
    "notes": "",
}
