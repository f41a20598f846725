# SPDX-License-Identifier: Apache-2.0
"""A predicted position is turned into a grid cell with div(rounding_mode="floor")."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class CellHead(nn.Module):
    def __init__(self, width, stride):
        super().__init__()
        self.fc = nn.Linear(width, 2)
        self.stride = stride

    def forward(self, h):
        position = 32 * torch.sigmoid(self.fc(h))
        return torch.div(position, self.stride, rounding_mode="floor")  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self, stride=4):
        super().__init__()
        self.stem = nn.Sequential(nn.Linear(7, 12), nn.SiLU())
        self.kind = nn.Linear(12, 3)
        self.cell = CellHead(12, stride)

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = self.stem(x)
        wanted = torch.stack([y, 2 * y], dim=1).float()
        loss_cell = F.smooth_l1_loss(self.cell(h), wanted)
        loss = F.cross_entropy(self.kind(h), y) + 0.5 * loss_cell
        self.log("loss", loss)
        return loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def dataloader():
    g = torch.Generator().manual_seed(400)
    x = torch.randn(12, 7, generator=g)
    y = torch.randint(0, 3, (12,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "zero",
    "cause": "torch.div",
    "cause_alt": ["floor"],
    "line_marker": "# <-- CAUSE",
    "params": ["cell.fc.*"],
    "metric_like": None,
    "source": "own",
    "notes": "Unlike //, which raises in backward, this form has a derivative: zero.",
}
