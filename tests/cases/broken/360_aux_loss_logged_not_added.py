# SPDX-License-Identifier: Apache-2.0
"""An auxiliary classifier is computed and logged; the sum returned leaves its loss out."""

import pytorch_lightning as pl
import torch
import torch.nn as nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self, aux_weight=0.4):
        super().__init__()
        self.aux_weight = aux_weight
        self.stem = nn.Sequential(nn.Linear(6, 8), nn.ReLU())
        self.mid = nn.Sequential(nn.Linear(8, 8), nn.ReLU())
        self.main, self.aux = nn.Linear(8, 3), nn.Linear(8, 3)

    def training_step(self, batch, batch_idx):
        x, y = batch
        early = self.stem(x)
        late = self.mid(early)
        losses = {
            "main": F.cross_entropy(self.main(late), y),
            "aux": self.aux_weight * F.cross_entropy(self.aux(early), y),  # <-- ALSO
        }
        self.log_dict(losses)
        return sum(v for k, v in losses.items() if k == "main")  # <-- CAUSE

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(360)
    x = torch.randn(12, 6, generator=g)
    y = torch.randint(0, 3, (12,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "unused",
    "cause_alt": ["discarded", "not_in_loss"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": ["aux.*"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
