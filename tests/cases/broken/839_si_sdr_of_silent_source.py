# SPDX-License-Identifier: Apache-2.0
"""Speech separation: the second batch contains a silent reference, SI-SDR divides by its energy."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

def si_sdr(est, ref):
    ref = ref - ref.mean(-1, keepdim=True)
    est = est - est.mean(-1, keepdim=True)
    scale = (est * ref).sum(-1, keepdim=True) / (ref * ref).sum(-1, keepdim=True)  # <-- CAUSE
    proj = scale * ref
    noise = est - proj
    return 10 * torch.log10(proj.pow(2).sum(-1) / (noise.pow(2).sum(-1) + 1e-8) + 1e-8)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc = nn.Conv1d(1, 8, 8, 4)
        self.mask = nn.Conv1d(8, 8, 1)
        self.dec = nn.ConvTranspose1d(8, 1, 8, 4)

    def training_step(self, batch, batch_idx):
        mix, ref = batch
        h = self.enc(mix[:, None])
        est = self.dec(h * self.mask(h).sigmoid()).squeeze(1)
        return -si_sdr(est, ref).mean()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(839)
    ref = torch.randn(16, 40, generator=g)
    ref[6] = 0
    return DataLoader(TensorDataset(ref + 0.1 * torch.randn(16, 40, generator=g), ref), batch_size=4)


EXPECT = {'verdict': 'broken', 'cause': 'div', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'held', 'notes': '', 'symptom': 'nonfinite', 'onset_step': 2, 'steps': 2, 'loss_finite': True}
