# SPDX-License-Identifier: Apache-2.0
"""The auxiliary loss goes into a list attribute; the list of another module is summed."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Block(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.lin, self.losses = nn.Linear(d, d), []

    def forward(self, x):
        h = self.lin(x).relu()
        self.losses = [h.pow(2).mean()]  # <-- CAUSE
        return h


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.losses = Block(5), nn.Linear(5, 3), []

    def training_step(self, batch, batch_idx):
        x, y = batch
        ce = F.cross_entropy(self.b(self.a(x)), y)
        self.log("aux_loss", self.a.losses[0])  # <-- ALSO
        return ce + sum(self.losses)  # <-- ALSO

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(669)
    x = torch.randn(24, 5, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 3, (24,), generator=g)), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "dead_term",
    "cause": "not_in_loss",
    "cause_alt": ["unused_result"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": None,
    "term": "aux_loss",
    "not_in_loss": True,
    "source": "own",
    "notes": "",
}
