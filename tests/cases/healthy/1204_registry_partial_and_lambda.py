# SPDX-License-Identifier: Apache-2.0
"""A registry of partials, lambdas and callables; two are summed with weights."""
from functools import partial
from operator import mul
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


LOSSES = {
    "ce": partial(F.cross_entropy, label_smoothing=0.1),
    "margin": lambda s, y: F.multi_margin_loss(s, y, margin=0.7),
}
WEIGHTS = {"ce": 1.0, "margin": 0.2}


class Model(pl.LightningModule):
    def __init__(self, names=("ce", "margin")):
        super().__init__()
        self.net = nn.Linear(6, 4)
        self.names = names

    def training_step(self, batch, batch_idx):
        x, y = batch
        s = self.net(x)
        parts = [LOSSES[n](s, y) for n in self.names]
        self.log_dict({n: float(p) for n, p in zip(self.names, parts)})
        return sum(map(mul, parts, (WEIGHTS[n] for n in self.names)))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1204)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'A registry of partials, lambdas and callables; two are summed with weights.',
    'all_grads_by_step': 1,
    'source': 'own',
}
