# SPDX-License-Identifier: Apache-2.0
"""A recording forward hook returns the detached features, replacing the layer output."""

from functools import partial

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def record(store, name, module, args, output):
    store[name] = output.detach()  # <-- CAUSE
    return store[name]  # <-- ALSO


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        sizes = (5, 7, 7)
        hidden = [m for a, b in zip(sizes, sizes[1:]) for m in (nn.Linear(a, b), nn.ReLU())]
        self.net = nn.Sequential(*hidden, nn.Linear(7, 2))
        self.features = {}
        self.net[2].register_forward_hook(partial(record, self.features, "penultimate"))

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = F.cross_entropy(self.net(x), y)
        self.log("feature_std", self.features["penultimate"].std())
        return loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(365)
    x = torch.randn(12, 5, generator=g)
    y = torch.randint(0, 2, (12,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "Tensor.detach",
    "cause_alt": ["forward_hook"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": ["net.0.*", "net.2.*"],
    "metric_like": None,
    "source": "own",
    "notes": "A hook that returned None would have left the output alone.",
}
