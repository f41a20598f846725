# SPDX-License-Identifier: Apache-2.0
"""Copy-paste slip: the second branch reads the raw input and overwrites the result of the first."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class TwoStage(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.stage1 = nn.Sequential(nn.Linear(d, d), nn.ReLU())
        self.stage2 = nn.Sequential(nn.Linear(d, d), nn.ReLU())

    def forward(self, x):
        h = self.stage1(x)  # <-- ALSO
        h = self.stage2(x)  # <-- CAUSE
        return h


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = TwoStage(5)
        self.out = nn.Linear(5, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.binary_cross_entropy_with_logits(self.out(self.net(x)).squeeze(-1), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(359)
    x = torch.randn(12, 5, generator=g)
    return DataLoader(TensorDataset(x, (x[:, 0] > 0).float()), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "unused",
    "cause_alt": ["overwritten", "discarded"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": ["net.stage1.*"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
