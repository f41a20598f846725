# SPDX-License-Identifier: Apache-2.0
"""singledispatch sums nested losses as tensors and prints floats."""
from functools import singledispatch
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


@singledispatch
def total(value):
    return value


@total.register
def _(value: dict):
    return sum(total(v) for v in value.values())


@total.register
def _(value: list):
    return torch.stack([total(v) for v in value]).mean()


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(6, 4)

    def training_step(self, batch, batch_idx):
        x, y = batch
        s = self.net(x)
        losses = {"ce": [F.cross_entropy(s, y), F.cross_entropy(s, y, label_smoothing=0.2)], "reg": {"z": 1e-3 * s.logsumexp(1).square().mean()}}
        self.shown = f"{float(total(losses)):.4f}"
        return total(losses)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1273)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'singledispatch sums nested losses as tensors and prints floats.',
    'all_grads_by_step': 1,
    'source': 'own',
}
