# SPDX-License-Identifier: Apache-2.0
"""Speech: a learnable energy threshold only gates frames by comparison and gets no gradient."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class EnergyVad(nn.Module):
    def __init__(self):
        super().__init__()
        self.threshold = nn.Parameter(torch.tensor(0.8))

    def forward(self, spec):
        energy = spec.pow(2).mean(1)
        voiced = torch.gt(energy, self.threshold)  # <-- CAUSE
        return spec * voiced.unsqueeze(1)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.vad = EnergyVad()
        self.enc = nn.Conv1d(17, 8, 3, padding=1)
        self.cls = nn.Linear(8, 4)

    def training_step(self, batch, batch_idx):
        wav, y = batch
        spec = torch.stft(wav, 32, 16, window=torch.hann_window(32), return_complex=True).abs().clamp(min=1e-5).log()
        h = self.enc(self.vad(spec)).relu().mean(-1)
        return F.cross_entropy(self.cls(h), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(807)
    return DataLoader(TensorDataset(torch.randn(12, 160, generator=g), torch.randint(0, 4, (12,), generator=g)), batch_size=4)


EXPECT = {'verdict': 'broken', 'cause': 'torch.gt', 'line_marker': '# <-- CAUSE', 'params': ['vad.threshold'], 'metric_like': None, 'source': 'held', 'notes': '', 'symptom': 'missing'}
