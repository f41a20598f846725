# SPDX-License-Identifier: Apache-2.0
"""A dataclass of weighted terms reduced with operator.add."""
from dataclasses import dataclass, fields, asdict
from functools import reduce
import operator
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


@dataclass
class Bag:
    ce: torch.Tensor
    size: torch.Tensor
    weight: float = 0.01

    def total(self):
        return reduce(operator.add, (self.ce, self.weight * self.size))


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(6, 4)

    def training_step(self, batch, batch_idx):
        x, y = batch
        s = self.net(x)
        bag = Bag(F.cross_entropy(s, y), s.square().mean())
        for f in fields(bag)[:2]:
            self.log(f.name, getattr(bag, f.name).detach().clone())
        return bag.total()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1230)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'A dataclass of weighted terms reduced with operator.add.',
    'all_grads_by_step': 1,
    'source': 'own',
}
