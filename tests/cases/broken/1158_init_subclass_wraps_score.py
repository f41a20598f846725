# SPDX-License-Identifier: Apache-2.0
"""__init_subclass__ of a base class puts every score method under no_grad."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Base(pl.LightningModule):
    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if "score" in cls.__dict__:
            cls.score = torch.no_grad()(cls.score)  # <-- CAUSE

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.score(x), y)  # <-- ALSO


class Model(Base):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(6, 4)

    def score(self, x):
        return self.net(x)  # <-- ALSO

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1158)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'no_grad_loss',
    'cause': 'torch.no_grad',
    'line_marker': '# <-- CAUSE',
    'also_marker': '# <-- ALSO',
    'params': 'all',
    'metric_like': None,
    'source': 'own',
    'notes': '__init_subclass__ of a base class puts every score method under no_grad.',
}
