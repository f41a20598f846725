# SPDX-License-Identifier: Apache-2.0
"""ModuleDicts inside ModuleLists, parameters in ParameterDicts inside, setattr with generated names."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Grid(nn.Module):
    def __init__(self, rows, d):
        super().__init__()
        self.rows = nn.ModuleList(nn.ModuleDict({"l": nn.Linear(d, d), "r": nn.Linear(d, d)}) for _ in range(rows))
        self.extra = nn.ParameterDict({"scale": nn.ParameterList([nn.Parameter(torch.ones(d)) for _ in range(rows)])})
        for i in range(rows):
            setattr(self, f"norm{i}", nn.LayerNorm(d))

    def forward(self, x):
        for i, row in enumerate(self.rows):
            x = getattr(self, f"norm{i}")(row["l"](x) * row["r"](x).sigmoid() * self.extra["scale"][i])
        return x


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.grid, self.head = Grid(2, 5), nn.Linear(5, 3)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.head(self.grid(x)), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(720)
    x = torch.randn(24, 5, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 3, (24,), generator=g)), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "Everything is registered, however deep.",
    "all_grads_by_step": 1,
    "source": "own",
}
