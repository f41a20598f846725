# SPDX-License-Identifier: Apache-2.0
"""A generator-based context manager for evaluation surrounds the wrong half of the network."""

import contextlib

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


@contextlib.contextmanager
def evaluating(module):
    was = module.training
    module.eval()
    with torch.no_grad():  # <-- CAUSE
        yield module
    module.train(was)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Linear(6, 8).requires_grad_(False)
        self.neck = nn.Linear(8, 8)
        self.head = nn.Linear(8, 3)

    def training_step(self, batch, batch_idx):
        x, y = batch
        with evaluating(self.backbone):  # <-- ALSO
            h = self.backbone(x).relu()
            h = self.neck(h).relu()  # <-- ALSO
        return F.cross_entropy(self.head(h), y)

    def configure_optimizers(self):
        return torch.optim.RMSprop(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(633)
    x = torch.randn(24, 6, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 3, (24,), generator=g)), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "no_grad",
    "cause_alt": ["torch.no_grad"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": ["neck.*"],
    "metric_like": None,
    "quiet": ["backbone.*"],
    "source": "own",
    "notes": "",
}
