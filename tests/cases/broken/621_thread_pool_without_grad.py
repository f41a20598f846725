# SPDX-License-Identifier: Apache-2.0
"""Branches run in a thread pool; the worker function detaches what it returns."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from concurrent.futures import ThreadPoolExecutor


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.branches = nn.ModuleList(nn.Linear(5, 4) for _ in range(3))
        self.head = nn.Linear(12, 2)

    @staticmethod
    def work(job):
        branch, x = job
        return branch(x).detach()  # <-- CAUSE

    def training_step(self, batch, batch_idx):
        x, y = batch
        with ThreadPoolExecutor(2) as pool:
            parts = list(pool.map(self.work, [(b, x) for b in self.branches]))
        return F.cross_entropy(self.head(torch.cat(parts, 1)), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(621)
    x = torch.randn(24, 5, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 2, (24,), generator=g)), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "Tensor.detach",
    "line_marker": "# <-- CAUSE",
    "params": ["branches.*"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
