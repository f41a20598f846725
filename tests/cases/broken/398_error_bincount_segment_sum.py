# SPDX-License-Identifier: Apache-2.0
"""Per-graph readout sums node scores with bincount(weights=...)."""

import pytorch_lightning as pl
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset


class Readout(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.score = nn.Linear(dim, 1)

    def forward(self, nodes, graph):
        s = self.score(nodes).squeeze(-1)
        return torch.bincount(graph, weights=s, minlength=4)  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.readout = Readout(5)

    def training_step(self, batch, batch_idx):
        nodes, graph = batch
        energy = self.readout(nodes, graph)
        return (energy - 1.0).square().mean()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(398)
    x = torch.randn(16, 5, generator=g)
    y = torch.randint(0, 4, (16,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "backward_error",
    "cause": "torch.bincount",
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": None,
    "error": "derivative for aten::bincount is not implemented",
    "source": "own",
    "notes": "",
}
