# SPDX-License-Identifier: Apache-2.0
"""Two statements on a line: the output of tanh is multiplied in place."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.f, self.g, self.out = nn.Linear(6, 8), nn.Linear(6, 8), nn.Linear(8, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        a = self.f(x).tanh(); b = self.g(x).sigmoid()  # <-- ALSO
        a.mul_(b).add_(1.0)  # <-- CAUSE
        return F.mse_loss(self.out(a), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1134)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'backward_error',
    'cause': 'Tensor.mul_',
    'line_marker': '# <-- CAUSE',
    'also_marker': '# <-- ALSO',
    'params': 'all',
    'metric_like': None,
    'source': 'own',
    'notes': 'Two statements on a line: the output of tanh is multiplied in place.',
    'error': 'modified by an inplace operation',
}
