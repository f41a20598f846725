# SPDX-License-Identifier: Apache-2.0
"""The contexts of a forward pass are collected on an ExitStack, one of them is no_grad."""

import contextlib
import random

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self, deterministic=True, frozen=False):
        super().__init__()
        self.deterministic, self.frozen = deterministic, frozen
        self.backbone = nn.Sequential(nn.Linear(6, 8), nn.ReLU())
        self.head = nn.Linear(8, 3)

    def embed(self, x):
        with contextlib.ExitStack() as stack:
            if self.deterministic:
                stack.enter_context(torch.random.fork_rng())
            if self.deterministic or self.frozen:
                stack.enter_context(torch.no_grad())  # <-- CAUSE
            return self.backbone(x)  # <-- ALSO

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.head(self.embed(x)), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.02, momentum=0.9)


def dataloader():
    g = torch.Generator().manual_seed(619)
    x = torch.randn(24, 6, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 3, (24,), generator=g)), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "no_grad",
    "cause_alt": ["torch.no_grad"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": ["backbone.*"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
