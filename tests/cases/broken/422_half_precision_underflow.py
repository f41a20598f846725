# SPDX-License-Identifier: Apache-2.0
"""A tiny loss weight applied in float16: the incoming gradient underflows to zero."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class PerceptualLoss(nn.Module):
    def __init__(self, weight=1e-8):
        super().__init__()
        self.weight = weight

    def forward(self, a, b):
        diff = (a - b).half()  # <-- ALSO
        return (self.weight * diff.square()).mean().float()  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.gen = nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 8))
        self.loss_fn = PerceptualLoss()

    def training_step(self, batch, batch_idx):
        (x,) = batch
        loss = self.loss_fn(self.gen(x), x)
        self.log("perceptual", loss)
        return loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(422)
    x = torch.randn(12, 8, generator=g)
    return DataLoader(TensorDataset(x), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "zero",
    "cause": "mul",
    "cause_alt": ["Tensor.half", "Tensor.mul", "underflow"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": None,
    "source": "own",
    "notes": "",
}
