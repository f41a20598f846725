# SPDX-License-Identifier: Apache-2.0
"""The energy function is scored inside torch.inference_mode, copied from the evaluation script."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Energy(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.f = nn.Sequential(nn.Linear(dim, 16), nn.SiLU(), nn.Linear(16, 1))

    def score(self, x):
        with torch.inference_mode():  # <-- CAUSE
            return self.f(x).mean()  # <-- ALSO


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.energy = Energy(4)

    def training_step(self, batch, batch_idx):
        (real,) = batch
        fake = torch.randn_like(real)
        return self.energy.score(real) - self.energy.score(fake)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(315)
    return DataLoader(TensorDataset(torch.randn(16, 4, generator=g)), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "no_grad_loss",
    "cause": "inference_mode",
    "cause_alt": ["no_grad", "torch.inference_mode"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": None,
    "source": "own",
    "notes": "",
}
