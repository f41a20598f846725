# SPDX-License-Identifier: Apache-2.0
"""A log-rate head on unscaled inputs overflows exp."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Intensity(nn.Module):
    def __init__(self, marks):
        super().__init__()
        self.log_rate = nn.Linear(4, marks, bias=False)
        nn.init.ones_(self.log_rate.weight)

    def forward(self, t):
        return torch.exp(self.log_rate(t))  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.intensity = Intensity(3)

    def training_step(self, batch, batch_idx):
        (t,) = batch
        lam = self.intensity(t)
        compensator = lam.sum(1)
        return (compensator - lam[:, 0].log()).mean()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(448)
    t = 1000 * torch.rand(12, 4, generator=g)
    return DataLoader(TensorDataset(t), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "nonfinite",
    "cause": "torch.exp",
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": None,
    "loss_finite": False,
    "source": "own",
    "notes": "",
}
