# SPDX-License-Identifier: Apache-2.0
"""The loop that sums the list of losses stops one too early."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 10), nn.Tanh())
        self.head = nn.Linear(10, 6)

    def losses(self, x):
        h = self.net(x)
        rec = self.head(h)
        return [
            ("l1", F.l1_loss(rec, x)),
            ("l2", F.mse_loss(rec, x)),
            ("activity", h.abs().mean()),
        ]

    def training_step(self, batch, batch_idx):
        parts = self.losses(*batch)
        for name, value in parts:
            self.log(name, value)
        total = 0
        for i in range(len(parts) - 1):  # <-- CAUSE
            total = total + parts[i][1]  # <-- ALSO
        return total

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(473)
    x = torch.randn(12, 6, generator=g)
    return DataLoader(TensorDataset(x), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "dead_term",
    "cause": "not_in_loss",
    "cause_alt": ["unused_result"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": None,
    "term": "activity",
    "not_in_loss": True,
    "source": "own",
    "notes": "",
}
