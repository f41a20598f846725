# SPDX-License-Identifier: Apache-2.0
"""The loss lives in a module object made at run time and intersects boolean masks."""
import types
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


def _jaccard(a, t):
    a = a > 0  # <-- CAUSE
    inter = torch.logical_and(a, t > 0).sum()
    union = torch.logical_or(a, t > 0).sum()
    return 1 - inter / (union + 1e-6)


toolbox = types.ModuleType("toolbox")
toolbox.jaccard = _jaccard


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(6, 1)

    def training_step(self, batch, batch_idx):
        x, t = batch
        return toolbox.jaccard(self.net(x), t)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1007)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 2, (24, 1), generator=g).float()), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'no_grad_loss',
    'cause': 'torch.gt',
    'line_marker': '# <-- CAUSE',
    'params': 'all',
    'metric_like': 'BinaryJaccardIndex',
    'source': 'own',
    'notes': 'The loss lives in a module object made at run time and intersects boolean masks.',
}
