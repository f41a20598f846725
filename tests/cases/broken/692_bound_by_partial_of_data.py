# SPDX-License-Identifier: Apache-2.0
"""A cosine classifier is bound to the data of its weight with functools.partial."""

import functools

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc = nn.Linear(6, 4)
        self.proto = nn.Parameter(torch.randn(3, 4))
        self.classify = functools.partial(F.linear, weight=self.proto.data)  # <-- CAUSE

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.classify(self.enc(x).tanh()), y)  # <-- ALSO

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def dataloader():
    g = torch.Generator().manual_seed(692)
    x = torch.randn(24, 6, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 3, (24,), generator=g)), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "Tensor.data",
    "cause_alt": ["data", "functools.partial"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": ["proto"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
