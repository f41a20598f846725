# SPDX-License-Identifier: Apache-2.0
"""A benchmark decorator wraps the compute_loss method in no_grad."""

import functools

import pytorch_lightning as pl
import time
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def benchmark(method):
    @functools.wraps(method)
    def timed(self, *args, **kwargs):
        start = time.perf_counter()
        with torch.no_grad():  # <-- CAUSE
            result = method(self, *args, **kwargs)
        self.seconds = time.perf_counter() - start
        return result

    return timed


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Linear(5, 7)
        self.decoder = nn.Linear(7, 5)

    @benchmark  # <-- ALSO
    def compute_loss(self, x):
        return F.l1_loss(self.decoder(self.encoder(x).relu()), x)  # <-- ALSO

    def training_step(self, batch, batch_idx):
        return self.compute_loss(*batch)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(317)
    return DataLoader(TensorDataset(torch.randn(12, 5, generator=g)), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "no_grad_loss",
    "cause": "no_grad",
    "cause_alt": ["torch.no_grad"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": None,
    "source": "own",
    "notes": "",
}
