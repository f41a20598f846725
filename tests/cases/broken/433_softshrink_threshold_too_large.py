# SPDX-License-Identifier: Apache-2.0
"""Sparse coding with a shrinkage threshold above every activation."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class LISTA(nn.Module):
    def __init__(self, n, m, steps=3, lam=50.0):
        super().__init__()
        self.w = nn.Linear(n, m, bias=False)
        self.s = nn.Linear(m, m, bias=False)
        self.dictionary = nn.Linear(m, n)
        self.steps, self.lam = steps, lam

    def forward(self, x):
        drive = self.w(x)
        code = F.softshrink(drive, self.lam)  # <-- CAUSE
        for _ in range(self.steps):
            code = F.softshrink(drive + self.s(code), self.lam)  # <-- ALSO
        return self.dictionary(code)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.lista = LISTA(6, 9)

    def training_step(self, batch, batch_idx):
        (x,) = batch
        return F.mse_loss(self.lista(x), x)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(433)
    x = torch.randn(12, 6, generator=g)
    return DataLoader(TensorDataset(x), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "zero",
    "cause": "softshrink",
    "cause_alt": ["F.softshrink"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": ["lista.w.*", "lista.s.*", "lista.dictionary.weight"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
