# SPDX-License-Identifier: Apache-2.0
"""One missing value in the table: the third batch holds a NaN."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Table(Dataset):
    def __init__(self):
        g = torch.Generator().manual_seed(450)
        self.x = torch.randn(16, 5, generator=g)
        self.y = torch.randn(16, generator=g)
        self.x[9, 2] = float("nan")

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        return {"x": self.x[i], "y": self.y[i]}


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 1))

    def training_step(self, batch, batch_idx):
        return F.mse_loss(self.net(batch["x"]).squeeze(-1), batch["y"])

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)


def dataloader():
    return DataLoader(Table(), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "nonfinite",
    "cause": "batch",
    "cause_alt": ["input", "data"],
    "line_marker": None,
    "params": "all",
    "metric_like": None,
    "onset_step": 3,
    "steps": 4,
    "loss_finite": True,
    "source": "own",
    "notes": "No operation of the model is to blame: the batch itself is not finite.",
}
