# SPDX-License-Identifier: Apache-2.0
"""The optimizer was built in the constructor, on a deep copy of the network."""

import copy

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        net = nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 1))
        self.opt = torch.optim.Adam(net.parameters(), lr=1e-3)  # <-- ALSO
        self.net = copy.deepcopy(net)  # <-- CAUSE

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.mse_loss(self.net(x).squeeze(-1), y)

    def configure_optimizers(self):
        return self.opt  # <-- ALSO


def dataloader():
    g = torch.Generator().manual_seed(484)
    x = torch.randn(12, 5, generator=g)
    return DataLoader(TensorDataset(x, torch.randn(12, generator=g)), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "not_optimized",
    "cause": "optimizer_params",
    "cause_alt": ["copy.deepcopy", "deepcopy"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": None,
    "source": "own",
    "notes": "",
}
