# SPDX-License-Identifier: Apache-2.0
"""Only the metric method of a subclass is put under no_grad."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Base(pl.LightningModule):
    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        cls.accuracy = torch.no_grad()(cls.accuracy)

    def training_step(self, batch, batch_idx):
        x, y = batch
        s = self.net(x)
        self.log("acc", self.accuracy(s, y))
        return F.cross_entropy(s, y)


class Model(Base):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(6, 4)

    def accuracy(self, s, y):
        return (s.argmax(1) == y).float().mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1276)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'Only the metric method of a subclass is put under no_grad.',
    'all_grads_by_step': 1,
    'source': 'own',
}
