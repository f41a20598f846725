# SPDX-License-Identifier: Apache-2.0
"""Every unit of a hidden layer starts with a bias of -1e3, so the ReLU behind it is dead."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def init_weights(module):
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.constant_(module.bias, -1e3)  # <-- ALSO


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Linear(6, 12),
            nn.ReLU(),  # <-- CAUSE
        )
        self.trunk.apply(init_weights)
        self.head = nn.Linear(12, 4)

    def training_step(self, batch, batch_idx):
        x, y = batch
        features = self.trunk(x)  # <-- ALSO
        return F.cross_entropy(self.head(features), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1, momentum=0.9)


def dataloader():
    g = torch.Generator().manual_seed(411)
    x = torch.randn(12, 6, generator=g)
    y = torch.randint(0, 4, (12,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "zero",
    "cause": "relu",
    "cause_alt": ["ReLU", "torch.relu"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": ["trunk.*", "head.weight"],
    "metric_like": None,
    "source": "own",
    "notes": "head.weight is zero as well: all its inputs are zero.",
}
