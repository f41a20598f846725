# SPDX-License-Identifier: Apache-2.0
"""A projection is built on the first call, when its width is known: the optimizer is older."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class LateProjection(nn.Module):
    def __init__(self, n_out):
        super().__init__()
        self.n_out = n_out
        self.proj = None

    def forward(self, x):
        if self.proj is None:
            self.proj = nn.Linear(x.shape[-1], self.n_out)  # <-- CAUSE
        return self.proj(x)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.inp = LateProjection(8)
        self.out = nn.Linear(8, 3)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.out(torch.tanh(self.inp(x))), y)

    def configure_optimizers(self):
        return torch.optim.RMSprop(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(486)
    x = torch.randn(12, 6, generator=g)
    y = torch.randint(0, 3, (12,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "not_optimized",
    "cause": "optimizer_params",
    "cause_alt": ["added"],
    "line_marker": "# <-- CAUSE",
    "params": ["inp.proj.*"],
    "metric_like": None,
    "replaced": True,
    "source": "own",
    "notes": "",
}
