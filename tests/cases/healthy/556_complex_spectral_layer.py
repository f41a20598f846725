# SPDX-License-Identifier: Apache-2.0
"""Fourier layer with complex weights between real linear maps."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Spectral(nn.Module):
    def __init__(self, channels, modes):
        super().__init__()
        self.modes = modes
        self.weight = nn.Parameter(0.2 * torch.randn(channels, channels, modes, dtype=torch.cfloat))

    def forward(self, x):
        freq = torch.fft.rfft(x)
        out = torch.zeros_like(freq)
        out[..., : self.modes] = torch.einsum("bim,iom->bom", freq[..., : self.modes], self.weight)
        return torch.fft.irfft(out, n=x.shape[-1])


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.lift, self.spec, self.drop = nn.Conv1d(1, 4, 1), Spectral(4, 3), nn.Conv1d(4, 1, 1)

    def training_step(self, batch, batch_idx):
        (x,) = batch
        y = self.drop(F.gelu(self.spec(self.lift(x[:, None]))))
        return F.mse_loss(y.squeeze(1), x.roll(1, 1))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(556)
    return DataLoader(TensorDataset(torch.randn(24, 12, generator=g)), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "The gradient of a complex parameter is complex; the unused frequencies are padding.",
    "all_grads_by_step": 1,
    "source": "own",
}
