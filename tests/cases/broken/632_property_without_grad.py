# SPDX-License-Identifier: Apache-2.0
"""Class prototypes are served by a property decorated with no_grad."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Prototypes(nn.Module):
    def __init__(self, n, d):
        super().__init__()
        self._proto = nn.Parameter(torch.randn(n, d))

    @property
    @torch.no_grad()  # <-- CAUSE
    def unit(self):
        return F.normalize(self._proto, dim=1)  # <-- ALSO


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.f = nn.Linear(6, 4)
        self.proto = Prototypes(3, 4)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(F.normalize(self.f(x), dim=1) @ self.proto.unit.T / 0.1, y)

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def dataloader():
    g = torch.Generator().manual_seed(632)
    x = torch.randn(24, 6, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 3, (24,), generator=g)), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "no_grad",
    "cause_alt": ["torch.no_grad"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": ["proto._proto"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
