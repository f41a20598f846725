# SPDX-License-Identifier: Apache-2.0
"""A shared step enables gradients for stage 'fit' while the caller says 'train'."""

import pytorch_lightning as pl
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset


class Base(pl.LightningModule):
    def shared_step(self, batch, stage):
        x, y = batch
        with torch.set_grad_enabled(stage == "fit"):  # <-- CAUSE
            logits = self(x)  # <-- ALSO
            loss = F.cross_entropy(logits, y)
        self.log(f"{stage}/loss", loss)
        return loss


class Model(Base):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.BatchNorm1d(5), nn.Linear(5, 3))

    def forward(self, x):
        return self.net(x)  # <-- ALSO

    def training_step(self, batch, batch_idx):
        return self.shared_step(batch, "train")

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(314)
    x = torch.randn(18, 5, generator=g)
    y = torch.randint(0, 3, (18,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=6)


EXPECT = {
    "verdict": "broken",
    "symptom": "no_grad_loss",
    "cause": "set_grad_enabled",
    "cause_alt": ["no_grad", "torch.set_grad_enabled"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": None,
    "source": "own",
    "notes": "",
}
