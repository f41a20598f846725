# SPDX-License-Identifier: Apache-2.0
"""att *= mask changes the output that softmax has saved."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.q, self.k, self.out = nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 4)

    def attend(self, x):
        att = (self.q(x) @ self.k(x).mT).softmax(-1)  # <-- ALSO
        att *= torch.ones(5, 5).tril()  # <-- CAUSE
        return att @ x

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.out(self.attend(x).mean(1)), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1130)
    return DataLoader(TensorDataset(torch.randn(24, 5, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'backward_error',
    'cause': 'Tensor.__imul__',
    'line_marker': '# <-- CAUSE',
    'also_marker': '# <-- ALSO',
    'params': 'all',
    'metric_like': None,
    'source': 'own',
    'notes': 'att *= mask changes the output that softmax has saved.',
    'error': 'modified by an inplace operation',
}
