# SPDX-License-Identifier: Apache-2.0
"""Phases and gains as polar numbers, then the real and imaginary parts."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.phase = nn.Parameter(torch.rand(6))
        self.gain = nn.Parameter(torch.zeros(6))
        self.out = nn.Linear(8, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        turn = torch.polar(self.gain.exp(), self.phase)
        z = torch.fft.rfft(torch.fft.ifft(x * turn).real)
        z = torch.view_as_real(z.conj() * torch.exp(1j * z.abs().mean()))
        return F.mse_loss(self.out(z.flatten(1)), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1208)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'Phases and gains as polar numbers, then the real and imaginary parts.',
    'all_grads_by_step': 1,
    'source': 'own',
}
