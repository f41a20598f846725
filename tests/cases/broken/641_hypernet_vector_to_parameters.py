# SPDX-License-Identifier: Apache-2.0
"""A hypernetwork writes its output into another network with vector_to_parameters."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torch.nn.utils import parameters_to_vector, vector_to_parameters


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.task = nn.Linear(4, 3)
        size = parameters_to_vector(self.task.parameters()).numel()
        self.hyper = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, size))

    def training_step(self, batch, batch_idx):
        x, y = batch
        vector_to_parameters(self.hyper(x).mean(0), self.task.parameters())  # <-- CAUSE
        return F.cross_entropy(self.task(x), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(641)
    x = torch.randn(24, 4, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 3, (24,), generator=g)), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "vector_to_parameters",
    "cause_alt": ["torch.nn.utils.vector_to_parameters", "Tensor.data", "data"],
    "line_marker": "# <-- CAUSE",
    "params": ["hyper.*"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
