# SPDX-License-Identifier: Apache-2.0
"""The auxiliary loss is put into a list that is cleared before it is summed."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(5, 5), nn.Linear(5, 3)
        self.extra = []

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = self.a(x).relu()
        aux = h.abs().mean()  # <-- CAUSE
        self.extra.append(aux)  # <-- ALSO
        self.log("aux", aux)  # <-- ALSO
        self.extra.clear()  # <-- ALSO
        return F.cross_entropy(self.b(h), y) + sum(self.extra)  # <-- ALSO

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(658)
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
    "term": "aux",
    "not_in_loss": True,
    "source": "own",
    "notes": "",
}
