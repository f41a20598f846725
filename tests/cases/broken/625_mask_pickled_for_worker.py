# SPDX-License-Identifier: Apache-2.0
"""A soft mask travels through pickle, as it would to a worker process, and comes back as a leaf."""

import pickle

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def send(obj):
    return pickle.dumps(obj)  # <-- CAUSE


def receive(data):
    return pickle.loads(data)  # noqa: S301  # <-- ALSO


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.mask = nn.Linear(6, 6)
        self.net = nn.Linear(6, 2)

    def training_step(self, batch, batch_idx):
        x, y = batch
        mask = receive(send({"mask": self.mask(x).sigmoid()}))["mask"]  # <-- ALSO
        return F.cross_entropy(self.net(x * mask), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(625)
    x = torch.randn(24, 6, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 2, (24,), generator=g)), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "pickle",
    "cause_alt": ["pickle.dumps", "pickle.loads", "Tensor.__reduce_ex__"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": ["mask.*"],
    "metric_like": None,
    "source": "own",
    "notes": "The unpickled tensor requires grad, but nobody owns it.",
}
