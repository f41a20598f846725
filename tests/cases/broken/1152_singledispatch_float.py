# SPDX-License-Identifier: Apache-2.0
"""The branch of a singledispatch function for tensors returns a float."""
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
def _(value: torch.Tensor):
    return float(value)  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(6, 4)

    def training_step(self, batch, batch_idx):
        x, y = batch
        s = self.net(x)
        losses = {"ce": F.cross_entropy(s, y), "reg": {"z": 1e-3 * s.logsumexp(1).square().mean()}}
        return torch.full((), total(losses))  # <-- ALSO

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1152)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'no_grad_loss',
    'cause': 'Tensor.__float__',
    'line_marker': '# <-- CAUSE',
    'also_marker': '# <-- ALSO',
    'params': 'all',
    'metric_like': None,
    'source': 'own',
    'notes': 'The branch of a singledispatch function for tensors returns a float.',
}
