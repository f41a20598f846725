# SPDX-License-Identifier: Apache-2.0
"""out= refuses tensors with history, so the whole computation was put under no_grad."""
from functools import partial
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(6, 1)
        self.register_buffer("space", torch.empty(8, 1))

    def training_step(self, batch, batch_idx):
        x, y = batch
        pred = self.net(x)
        square = partial(torch.sub, out=self.space)
        with torch.no_grad():  # <-- ALSO
            diff = square(pred, y)  # <-- CAUSE
        return diff.pow(2).mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1008)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'no_grad_loss',
    'cause': 'torch.no_grad',
    'line_marker': '# <-- CAUSE',
    'also_marker': '# <-- ALSO',
    'params': 'all',
    'metric_like': None,
    'source': 'own',
    'notes': 'out= refuses tensors with history, so the whole computation was put under no_grad.',
}
