# SPDX-License-Identifier: Apache-2.0
"""Decorators forward *args and **kwargs; a guard clause returns early for a bad batch."""
import time
from contextlib import contextmanager
from functools import wraps
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


def timed(fn):
    @wraps(fn)
    def inner(self, *args, **kwargs):
        t0 = time.perf_counter()
        try:
            return fn(self, *args, **kwargs)
        finally:
            self.seconds = time.perf_counter() - t0
    return inner


@contextmanager
def shown(store, name):
    box = {}
    yield box
    store[name] = float(box["value"])


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(6, 4)
        self.numbers = {}

    @timed
    def training_step(self, batch, batch_idx):
        x, y = batch
        if not torch.isfinite(x).all():
            return None
        with shown(self.numbers, "loss") as box:
            box["value"] = loss = F.cross_entropy(self.net(x), y)
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1232)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'Decorators forward *args and **kwargs; a guard clause returns early for a bad batch.',
    'all_grads_by_step': 1,
    'source': 'own',
}
