# SPDX-License-Identifier: Apache-2.0
"""Weight normalisation of a layer whose weights were initialised to zero."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torch.nn.utils.parametrizations import weight_norm


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.inp = nn.Linear(4, 6)
        out = nn.Linear(6, 1)
        nn.init.zeros_(out.weight)  # <-- ALSO
        self.out = weight_norm(out)  # <-- ALSO

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.mse_loss(self.out(self.inp(x).tanh())[:, 0], y)  # <-- CAUSE

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def dataloader():
    g = torch.Generator().manual_seed(662)
    x = torch.randn(24, 4, generator=g)
    return DataLoader(TensorDataset(x, torch.randn(24, generator=g)), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "nonfinite",
    "cause": "weight_norm",
    "cause_alt": ["torch._weight_norm", "_weight_norm", "torch.nn.utils.parametrizations.weight_norm"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": None,
    "source": "own",
    "notes": "",
}
