# SPDX-License-Identifier: Apache-2.0
"""gammainc is not differentiable in its first argument."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.shape = nn.Linear(6, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        a = F.softplus(self.shape(x)) + 0.1
        cdf = torch.special.gammainc(a, y)  # <-- CAUSE
        return F.binary_cross_entropy(cdf.clamp(1e-4, 1 - 1e-4), (y > 0.5).float())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1132)
    return DataLoader(TensorDataset(torch.rand(24, 6, generator=g), torch.rand(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'backward_error',
    'cause': 'torch.special.gammainc',
    'line_marker': '# <-- CAUSE',
    'params': 'all',
    'metric_like': None,
    'source': 'own',
    'notes': 'gammainc is not differentiable in its first argument.',
    'error': 'derivative for',
}
