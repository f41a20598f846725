# SPDX-License-Identifier: Apache-2.0
"""Hidden states pass through operator.methodcaller('detach') in a map."""

import operator

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


drop = operator.methodcaller("detach")


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.cell = nn.LSTMCell(3, 6)
        self.head = nn.Linear(6, 2)

    def training_step(self, batch, batch_idx):
        x, y = batch
        state = torch.zeros(len(x), 6), torch.zeros(len(x), 6)
        for step in x.unbind(1):
            state = tuple(map(drop, self.cell(step, state)))  # <-- CAUSE
        return F.cross_entropy(self.head(state[0]), y)

    def configure_optimizers(self):
        return torch.optim.RMSprop(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(623)
    x = torch.randn(24, 5, 3, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 2, (24,), generator=g)), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "Tensor.detach",
    "line_marker": "# <-- CAUSE",
    "params": ["cell.*"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
