# SPDX-License-Identifier: Apache-2.0
"""Log-spectral distance with the spectrogram taken from scipy."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from scipy import signal


class SpectralDistance:
    def __init__(self, nperseg=16):
        self.nperseg = nperseg

    def spec(self, wave):
        _, _, power = signal.spectrogram(wave.numpy(force=True), nperseg=self.nperseg)  # <-- CAUSE
        return torch.as_tensor(power)  # <-- ALSO

    def __call__(self, a, b):
        return ((self.spec(a) + 1e-5).log() - (self.spec(b) + 1e-5).log()).pow(2).mean()


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enhance = nn.Sequential(nn.Conv1d(1, 4, 5, padding=2), nn.Tanh(), nn.Conv1d(4, 1, 5, padding=2))
        self.distance = SpectralDistance()

    def training_step(self, batch, batch_idx):
        (noisy,) = batch
        return self.distance(self.enhance(noisy)[:, 0], noisy[:, 0].sin())

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(605)
    x = torch.randn(9, 1, 48, generator=g)
    return DataLoader(TensorDataset(x), batch_size=3)


EXPECT = {
    "verdict": "broken",
    "symptom": "no_grad_loss",
    "cause": "Tensor.numpy",
    "cause_alt": ["Tensor.detach", "numpy"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": None,
    "source": "own",
    "notes": "",
}
