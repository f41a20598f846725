# SPDX-License-Identifier: Apache-2.0
"""Learned phases become Python complex numbers."""
import cmath
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.phase = nn.Parameter(torch.rand(6))
        self.out = nn.Linear(8, 1)

    def rotate(self, x):
        turn = torch.tensor([cmath.exp(1j * float(p)) for p in self.phase])  # <-- CAUSE
        z = torch.fft.rfft(torch.fft.ifft(x * turn).real)
        return torch.view_as_real(z).flatten(1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.mse_loss(self.out(self.rotate(x)), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1041)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'missing',
    'cause': 'Tensor.__float__',
    'line_marker': '# <-- CAUSE',
    'params': ['phase'],
    'metric_like': None,
    'source': 'own',
    'notes': 'Learned phases become Python complex numbers.',
}
